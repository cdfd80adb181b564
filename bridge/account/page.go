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

// pageOf makes a page of up to limit+1 items: the one too many tells that
// there is more.
func pageOf[T any](items []T, limit int, cursor func(T) string) Page[T] {
	if len(items) <= limit {
		return Page[T]{Items: items}
	}
	return Page[T]{Items: items[:limit], Next: cursor(items[limit-1])}
}

// cursorOf makes an opaque cursor of the last item's sort key.
func cursorOf(key ...any) string {
	text, err := json.Marshal(key)
	if err != nil {
		panic(err) // keys are texts and numbers
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readCursor takes a cursor of ours apart again.
func readCursor(cursor string, key ...any) error {
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

// nameFrom reads the cursor of a list that is sorted by a name.
func nameFrom(cursor string) (name string, err error) {
	if cursor == "" {
		return "", nil
	}
	return name, readCursor(cursor, &name)
}

// placeFrom reads the cursor of a list that runs from the newest to the
// oldest; without one it is the place before the newest.
func placeFrom(cursor string) (store.Place, error) {
	if cursor == "" {
		return store.Place{Time: time.UnixMicro(math.MaxInt64)}, nil
	}
	var us int64
	var id string
	err := readCursor(cursor, &us, &id)
	return store.Place{Time: time.UnixMicro(us), ID: id}, err
}

func cursorAt(t time.Time, id string) string { return cursorOf(t.UnixMicro(), id) }
