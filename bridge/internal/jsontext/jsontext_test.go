package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// FuzzString holds AppendString and String against encoding/json.
func FuzzString(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "Ärmel", `quo"te`, `back\slash`, "line\nend", "\x00", "\xff broken", "<html>&", "\u2028",
	} {
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
		r := NewReader(standard)
		if read := r.String(); r.Err() != nil || read != want {
			t.Errorf("String of %s is %q, %v", standard, read, r.Err())
		}
		list := fmt.Appendf(nil, "[%s,%s]", standard, standard)
		r = NewReader(list)
		var all []string
		r.Array(func() { all = append(all, r.Shared()) })
		clear(list) // what was read is no part of it
		if r.Err() != nil || !slices.Equal(all, []string{want, want}) {
			t.Errorf("Shared of %s twice is %q, %v", standard, all, r.Err())
		}
	})
}

// FuzzReader promises that a document which is valid JSON is taken apart into
// the values that encoding/json finds, whether they are read or passed over,
// and that no other makes it panic.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `{"a":1,"b":[{"c":"]}"},2],"d":null}`, ` { "a" : "x\"y" , "b" : { } } `,
		`[1, "a", [2], {"b": [3]}]`,
		`{"a":`, `{"a"}`, `{"a":1`, `[1`, `[1,]`, `"a`, `{"\u0061":true}`, `[[[`, `]`, ``,
		`{"a":{"a":[true,false,null,-1.50e3,"\ud83d\ude00"]},"a":[]}`, ` "a" `, `12345678901234567890`,
		`null`, `["\\", "\\\"", "a\\"]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		value := func(r *Reader) (v any) {
			if raw := r.Raw(); r.Err() == nil {
				if err := json.Unmarshal(raw, &v); err != nil {
					r.Fail(err)
				}
			}
			return v
		}
		object, passed := map[string]any{}, 0
		o, passing := NewReader(text), NewReader(text)
		o.Object(func(name []byte) { n := string(name); object[n] = value(o) })
		passing.Object(func([]byte) { passed++ })
		whole := NewReader(text)
		read := whole.Value()
		array, list := []any{}, NewReader(text)
		list.Array(func() { array = append(array, value(list)) })

		var want any
		if json.Unmarshal(text, &want) != nil {
			return
		}
		if numbers := decoded(t, text); whole.Err() != nil || !reflect.DeepEqual(read, numbers) {
			t.Errorf("%s: got %#v, %v, want %#v", text, read, whole.Err(), numbers)
		}
		switch want := want.(type) {
		case map[string]any:
			if o.Err() != nil || !reflect.DeepEqual(object, want) {
				t.Errorf("%s: got %v, %v", text, object, o.Err())
			}
			if passing.Err() != nil || passed < len(want) {
				t.Errorf("%s: passed over %d members, %v", text, passed, passing.Err())
			}
		case []any:
			if list.Err() != nil || !reflect.DeepEqual(array, want) {
				t.Errorf("%s: got %v, %v", text, array, list.Err())
			}
		}
	})
}

// decoded is what encoding/json makes of a text, with numbers as a json.Number.
func decoded(t *testing.T, text []byte) (value any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTextsThatAreCutOffAreRefused(t *testing.T) {
	t.Parallel()
	const whole = `{"a":{"b":["c",1,"\""]},"d":"e"}`
	for n := range len(whole) {
		r := NewReader([]byte(whole[:n]))
		if r.Object(func([]byte) {}); r.Err() == nil {
			t.Errorf("%q passes", whole[:n])
		}
		r = NewReader([]byte(whole[:n]))
		if value := r.Value(); r.Err() == nil {
			t.Errorf("%q is read as %v", whole[:n], value)
		}
	}
}

func TestValuesOfAnotherKindAreRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		read       func(*Reader)
	}{
		{"a number as a string", `1`, func(r *Reader) { _ = r.String() }},
		{"a string as true or false", `"true"`, func(r *Reader) { r.Bool() }},
		{"a fraction as a whole number", `1.5`, func(r *Reader) { r.Int() }},
		{"an array as an object", `[]`, func(r *Reader) { r.Object(func([]byte) {}) }},
		{"an object as an array", `{}`, func(r *Reader) { r.Array(func() {}) }},
		{"an object without a colon", `{"a" 1}`, func(r *Reader) { r.Object(func([]byte) {}) }},
		{"an array without a comma", `[1 2]`, func(r *Reader) { r.Array(func() {}) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := NewReader([]byte(row.text))
			if row.read(r); r.Err() == nil {
				t.Error("passes")
			}
		})
	}
}

func TestTimesAreRFC3339(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)
	if got := string(AppendTime(nil, at)); got != `"2026-01-31T12:00:00.123456Z"` {
		t.Error(got)
	}
	for _, text := range []string{`"2026-01-31T12:00:00.123456Z"`, `"2026-01-31T14:00:00.123456+02:00"`} {
		r := NewReader([]byte(text))
		if got := r.Time(); r.Err() != nil || !got.Equal(at) {
			t.Errorf("%s is read as %s, %v", text, got, r.Err())
		}
	}
	for _, text := range []string{`null`, `""`, `"2026-01-31"`, `1769860800`, `{}`} {
		r := NewReader([]byte(text))
		if r.Time(); r.Err() == nil {
			t.Errorf("%s passes", text)
		}
	}
}

func BenchmarkValue(b *testing.B) {
	text := []byte(`{"active":true,"displayName":"Ingrid Lindström","emails":[{"primary":true,"type":"work",` +
		`"value":"ingrid@example.com"},{"type":"home","value":"i@home.example"}],"externalId":"e-1",` +
		`"name":{"familyName":"Lindström","formatted":"Ingrid Lindström","givenName":"Ingrid"},` +
		`"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ingrid@example.com"}`)
	b.ReportAllocs()
	for b.Loop() {
		if r := NewReader(text); r.Value() == nil || r.Err() != nil {
			b.Fatal(r.Err())
		}
	}
}
