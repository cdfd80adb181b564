package jsontext

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// FuzzString holds AppendString and String against encoding/json.
func FuzzString(f *testing.F) {
	for _, seed := range []string{"", "plain", "Ärmel", `quo"te`, `back\slash`, "line\nend", "\x00", "\xff broken", "<html>&", "\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := AppendString(nil, s)
		var want, got string
		standard, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(standard, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("AppendString(%q) is %s, which reads %q, %v", s, text, got, err)
		}
		if read, err := String(standard); err != nil || read != want {
			t.Errorf("String(%s) is %q, %v", standard, read, err)
		}
	})
}

// FuzzMembers promises that a document which is valid JSON is taken apart into
// the values that encoding/json finds, and that no other makes it panic.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `{"a":1,"b":[{"c":"]}"},2],"d":null}`, ` { "a" : "x\"y" , "b" : { } } `, `[1, "a", [2], {"b": [3]}]`,
		`{"a":`, `{"a"}`, `{"a":1`, `[1`, `[1,]`, `"a`, `{"\u0061":true}`, `[[[`, `]`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := map[string]any{}
		err := Members(text, func(name, value []byte) error {
			var v any
			if err := json.Unmarshal(value, &v); err != nil {
				return err
			}
			got[string(name)] = v
			return nil
		})
		list := []any{}
		listErr := Elements(text, func(value []byte) error {
			var v any
			if err := json.Unmarshal(value, &v); err != nil {
				return err
			}
			list = append(list, v)
			return nil
		})
		var want any
		if json.Unmarshal(text, &want) != nil {
			return
		}
		if object, is := want.(map[string]any); is && (err != nil || !reflect.DeepEqual(got, object)) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		if array, is := want.([]any); is && (listErr != nil || !reflect.DeepEqual(list, array)) {
			t.Errorf("%s: got %v, %v", text, list, listErr)
		}
	})
}

func TestTextsThatAreCutOffAreRefused(t *testing.T) {
	t.Parallel()
	const whole = `{"a":{"b":["c",1,"\""]},"d":"e"}`
	for n := range len(whole) {
		if err := Members([]byte(whole[:n]), func(_, _ []byte) error { return nil }); err == nil {
			t.Errorf("%q passes", whole[:n])
		}
	}
}

func TestTimesAreRFC3339(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)
	if got := string(AppendTime(nil, at)); got != `"2026-01-31T12:00:00.123456Z"` {
		t.Error(got)
	}
}
