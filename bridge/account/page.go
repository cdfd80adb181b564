package account

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Page is one page of a list. Next is the cursor of the next page, empty on the last.
type Page[T any] struct {
	Items []T
	Next  string
}

// PageOf returns a page from up to limit+1 items; limit+1 items mean that there is
// another page. The cursor has the sort key of the last item.
func PageOf[T any](items []T, limit int, key func(T) []any) Page[T] {
	if len(items) <= limit {
		return Page[T]{Items: items}
	}
	return Page[T]{Items: items[:limit], Next: cursorOf(key(items[limit-1]))}
}

func cursorOf(key []any) string {
	text, err := json.Marshal(key)
	if err != nil {
		panic(err) // keys are strings and numbers
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// ReadCursor decodes the sort key in a cursor of [PageOf] into the variables that key
// points to. An empty cursor leaves them unchanged.
func ReadCursor(cursor string, key ...any) error {
	if cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return InvalidCursor()
	}
	want := len(key)
	if err := json.Unmarshal(text, &key); err != nil || len(key) != want {
		return InvalidCursor()
	}
	return nil
}

// beforeNewest is the start of a list in descending order of time.
var beforeNewest = store.Place{Time: time.UnixMicro(math.MaxInt64)}

// ReadPlace decodes the cursor of a list in the order of time. An empty cursor gives
// first.
func ReadPlace(cursor string, first store.Place) (store.Place, error) {
	us, id := store.Micros(first.Time), first.ID
	err := ReadCursor(cursor, &us, &id)
	return store.Place{Time: time.UnixMicro(us), ID: id}, err
}
