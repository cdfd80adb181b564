package account

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Page is one page of a list; Next is the cursor of the page behind it,
// empty at the end.
type Page[T any] struct {
	Items []T
	Next  string
}

// PageOf makes a page of up to limit+1 items: one more than limit means that
// there is another page. Its cursor holds the sort key of the last item.
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

// ReadCursor reads the sort key in a cursor made by [PageOf] into the
// variables that key points to. Without a cursor they stay as they are.
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

// beforeNewest is where a list begins that runs from the newest to the oldest.
var beforeNewest = store.Place{Time: time.UnixMicro(math.MaxInt64)}

// ReadPlace reads the cursor of a list in the order of time, which begins at
// first without one.
func ReadPlace(cursor string, first store.Place) (store.Place, error) {
	us, id := store.Micros(first.Time), first.ID
	err := ReadCursor(cursor, &us, &id)
	return store.Place{Time: time.UnixMicro(us), ID: id}, err
}
