package provision

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSignInAddress(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, attributes, want string }{
		{"the userName, if it is an address", `{"userName":"a@x.org","emails":[{"value":"b@x.org","primary":true}]}`,
			"a@x.org"},
		{"else the primary, wherever it stands",
			`{"userName":"ann","emails":[{"value":"w@x.org","type":"work"},{"value":"p@x.org",` +
				`"primary":true}]}`, "p@x.org"},
		{"a primary written as text",
			`{"userName":"ann","emails":[{"value":"w@x.org","type":"work"},{"value":"p@x.org",` +
				`"primary":"True"}]}`, "p@x.org"},
		{"else the work address, in any case",
			`{"userName":"ann","emails":[{"value":"h@x.org","type":"home"},{"value":"w@x.org",` +
				`"type":"Work"}]}`, "w@x.org"},
		{"else the first", `{"userName":"ann","emails":[{"value":"h@x.org","type":"home"},` +
			`{"value":"o@x.org"}]}`, "h@x.org"},
		{"passing over a primary that is no address",
			`{"userName":"ann","emails":[{"value":"none","primary":true},{"value":"o@x.org"}]}`, "o@x.org"},
		{"none, without e-mails", `{"userName":"ann"}`, ""},
		{"none, with an empty one", `{"userName":"ann","emails":[{"value":""}]}`, ""},
		{"no display name in a userName", `{"userName":"Ann <a@x.org>"}`, ""},
		{"no line break in a userName", `{"userName":"a@x.org\nBcc: b@x.org"}`, ""},
		{"nothing longer than mail can reach", `{"userName":"` + strings.Repeat("a", 250) + `@x.org"}`, ""},
		{"the userName without the blanks around it", `{"userName":" a@x.org\u00a0"}`, "a@x.org"},
		{"an e-mail address without the blanks around it",
			`{"userName":"ann","emails":[{"value":"\u200b b@x.org\t","type":"work"}]}`, "b@x.org"},
		{"an e-mail address, although the userName has another type",
			`{"userName":["a@x.org"],"emails":[{"value":"b@x.org"}]}`, "b@x.org"},
		{"the userName under a name in another case", `{"username":"a@x.org","emails":[{"value":"b@x.org"}]}`,
			"a@x.org"},
		{"none of what is no JSON", `{"userName":"a@x.org"`, ""},
		{"the userName, although emails has another type", `{"emails":"b@x.org","userName":"a@x.org"}`, "a@x.org"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := SignInAddress(json.RawMessage(row.attributes)); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
