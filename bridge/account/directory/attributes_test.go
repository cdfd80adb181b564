package directory

import "testing"

// What is kept, what is read and what is compared are one document.
func TestTrimmedAttributesAreReadWithoutDecodingThemAgain(t *testing.T) {
	t.Parallel()
	const sent = `{"displayName":" Staff ` +
		`","externalId":"7","floor":3.0,"emails":[{"value":"a@example.com","type":"work"}]}`
	a, err := readGroup([]byte(sent))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"displayName":"Staff","emails":[{"type":"work","value":"a@example.com"}],"externalId":"7","floor":3.0}`
	if a.text != want {
		t.Errorf("kept as %s, want %s", a.text, want)
	}
	if a.displayName != "Staff" || a.externalID != "7" || len(a.emails) != 1 || a.document["displayName"] != "Staff" {
		t.Errorf("read as %+v", a)
	}
}

func TestEqualAttributes(t *testing.T) {
	t.Parallel()
	a, err := readGroup([]byte(`{"displayName":"Staff","floor":3,"tags":["a","b"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, stored string
		want         bool
	}{
		{"the same text", a.text, true},
		{"another order of keys", `{"tags":["a","b"],"floor":3,"displayName":"Staff"}`, true},
		{"another order of a list", `{"displayName":"Staff","floor":3,"tags":["b","a"]}`, false},
		{"a number in another form", `{"displayName":"Staff","floor":3.0,"tags":["a","b"]}`, false},
		{"a member more", `{"displayName":"Staff","floor":3,"tags":["a","b"],"x":null}`, false},
		{"a stored text that is cut short", `{"displayName":"Staff"`, false},
	} {
		if got, _ := a.compare(row.stored); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

// A write may be carried out again from the attributes that were read once.
func TestSettingActiveLeavesCopiesAlone(t *testing.T) {
	t.Parallel()
	read, err := readPerson([]byte(`{"userName":"ann"}`))
	if err != nil {
		t.Fatal(err)
	}
	attempt := read
	if err := attempt.setActive(false); err != nil {
		t.Fatal(err)
	}
	if _, there := read.document["active"]; there || !read.active {
		t.Errorf("the attributes that were read have become %s, %v", read.text, read.document)
	}
	if attempt.text != `{"userName":"ann","active":false}` || attempt.document["active"] != false {
		t.Errorf("the attempt has %s, %v", attempt.text, attempt.document)
	}
}
