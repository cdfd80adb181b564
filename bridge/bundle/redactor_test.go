package bundle

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle/internal/words"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

const (
	anID      = "6fzw5vl3n2uk4gqj7xa2cdrt4m"
	aUUID     = "0a1b2c3d-0000-4000-8000-00000000abcd"
	aRequest  = "ZC3TQ7W2NNV5K4GJ6XA2CDRT4M"
	aJWT      = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
	aKey      = "A3-FGHJKM-NPQRST-VWXYZ-23456-ABCDE-FGHJK"
	someToken = "sbt1_yWqgBt1a0xXqK3T0mN5pQ7rS9uVwXyZ2bCdEfGhIjKlMnOpQr"
)

// folded are the pseudonyms in a text, without their letters.
var pseudonymForm = regexp.MustCompile(`\b(person|group|id|name|text)-[a-z2-7]{6}(?:[a-z2-7]{6})?\b`)

func newTestRedactor(keep ...string) *redactor {
	return newRedactor(newPseudonyms(journal.Archive{}, nil), keep)
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"words of the program stay", "the bridge is sealed: the first request with the bearer token opens it",
			"the bridge is sealed: the first request with the bearer token opens it"},
		{"other words go", "the bridge of Quibbleton is sealed", "the bridge of text- is sealed"},
		{"in other letters, too", "Zoë Ørsted 田中", "text- text- text-"},
		{"escaped ones, too", `error="the account refused \"Zo\u00eb \\u00d8rsted\""`,
			`error="the account refused \"text- text-\""`},
		{"an e-mail address", "mail to Ann.Quibble+tag@Corp.Example.", "mail to name-."},
		{"one in angle brackets", "<ann@corp.example>", "<name->"},
		{"one with an apostrophe", "o'quibble@corp.example is taken", "name- is taken"},
		{"one in quotation marks", "'ann@corp.example'", "'name-'"},
		{"one in a filter in a URL", "/Users?filter=userName%20eq%20%22ann%40corp.example%22",
			"/Users?filter=userName eq 'name-'"},
		{"one that is escaped twice", "%2522ann%2540corp.example%2522", "'name-'"},
		{"one with a password before a host", "https://ann:quibble@corp.example/x", "https://text-:name-"},
		{"ids of people and groups", "resource_id=" + anID + " other " + aUUID, "resource_id=id- other id-"},
		{"a request's id stays", "request_id=" + aRequest, "request_id=" + aRequest},
		{"another text in its form goes", "shared " + aRequest, "shared [hidden]"},
		{"network addresses stay", "client=192.0.2.1 from [2001:db8::1]:443 10.0.0.0/8",
			"client=192.0.2.1 from [2001:db8::1]:443 10.0.0.0/8"},
		{"but no zone of one", "fe80::1%eth0quibble", "text-::1%text-"},
		{"times, durations and numbers stay", "2026-11-29T03:12:08.114Z after 1.5s and 300ms status=503",
			"2026-11-29T03:12:08.114Z after 1.5s and 300ms status=503"},
		{"long numbers go, unless they count", "471133445 bytes=471133445", "text- bytes=471133445"},
		{"quoted numbers go", `"4711" '4711' status=4711`, `"text-" 'text-' status=4711`},
		{"telephone numbers go", "+49 30 1234567", "text-"},
		{"tokens", "refused " + someToken + " and " + aJWT, "refused [hidden] and [hidden]"},
		{"a Secret Key", aKey, "[hidden]"},
		{"what is named a secret", `password=secret token: set Authorization: Basic x secret="bridge account"`,
			`password=[hidden] token: set Authorization: [hidden] x secret="[hidden] [hidden]"`},
		{"the kind of a token stays", "token=current token=previous", "token=current token=previous"},
		{"fields about people go, whatever they say", `user_name="the bridge" group="the \"first\" group" ids=account`,
			"user_name=text- group=text- ids=text-"},
		{"paths keep the words of systems", "/var/lib/scim-bridge/session /home/quibble/scim-bridge",
			"/var/lib/scim-bridge/session /home/text-/scim-bridge"},
		{"hosts that are kept", "https://scim.corp.example/app of ann@scim.corp.example xscim.corp.example",
			"https://scim.corp.example/app of name- text-.text-.example"},
		{"a stack trace", "bridge/scim.(*Server).users(0xc000123456)\n\t/src/bridge/scim/server.go:94 +0x1d4",
			"bridge/scim.(*Server).users(0xc000123456)\n\t/src/bridge/scim/server.go:94 +0x1d4"},
		{"what Go says", "dial tcp 10.0.0.1:443: connect: connection refused",
			"dial tcp 10.0.0.1:443: connect: connection refused"},
		{"marks of its own in the text", "a\ue0000\ue001b", "text-"},
		{"no UTF-8", "the \xff\xfe bridge", "the   bridge"},
		{"control characters", "the \x1b[2J bridge", "the  [text- bridge"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := newTestRedactor("scim.corp.example").text(row.text)
			if shown := pseudonymForm.ReplaceAllString(got, "$1-"); shown != row.want {
				t.Errorf("%q becomes %q, want %q", row.text, shown, row.want)
			}
		})
	}
}

func TestOneTextHasOnePseudonym(t *testing.T) {
	t.Parallel()
	r := newTestRedactor()
	for _, row := range []struct {
		name, a, b string
		same       bool
	}{
		{"an address in another case", "ann@corp.example", "ANN@Corp.Example", true},
		{"an address in a URL", "ann@corp.example", "ann%40corp.example", true},
		{"an id", anID, anID, true},
		{"another address", "ann@corp.example", "bob@corp.example", false},
		{"a word", "Quibble", "Quibble", true},
		{"a word in another case", "Quibble", "quibble", true},
		{"another word", "Quibble", "Quibbles", false},
	} {
		if a, b := r.text(row.a), r.text(row.b); (a == b) != row.same {
			t.Errorf("%s: %s and %s", row.name, a, b)
		}
	}
}

// What an id or a name is called does not depend on what the bridge knows at the time.
func TestPseudonymsDependOnNothingElse(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := journal.Open(journal.Config{DataDir: folder})
	j.Append(journal.Event{Kind: journal.PersonCreated, Person: anID, Subject: j.Person("quibble")})
	j.Close()
	full := journal.OpenArchive(folder)
	events, err := filepath.Glob(filepath.Join(folder, journal.Folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	waits := bridge.Attention{PersonID: anID, UserName: "quibble", Address: "ann@corp.example"}
	with := newPseudonyms(full, []bridge.Attention{waits})
	known := newPseudonyms(full, nil)
	for _, path := range events {
		if filepath.Base(path) != journal.KeyFile {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	forgotten := newPseudonyms(journal.OpenArchive(folder), nil)
	suffix := func(s string) string { return s[strings.LastIndexByte(s, '-')+1:] }
	for _, text := range []string{anID, "quibble", " Quibble", "ann@corp.example", "ANN@corp.example"} {
		first := suffix(newRedactor(with, nil).text(text))
		for what, names := range map[string]*pseudonyms{"confirmed": known, "forgotten": forgotten} {
			if again := suffix(newRedactor(names, nil).text(text)); !strings.HasPrefix(first, again) {
				t.Errorf("%q was %s while waiting, and is %s when %s", text, first, again, what)
			}
		}
	}
	if got := newRedactor(with, nil).text("quibble"); !strings.HasPrefix(got, "name-") {
		t.Errorf("a userName is %s", got)
	}
}

// Names that are words of the program are known from the problems.
func TestNamesInProblemsAreReplacedEverywhere(t *testing.T) {
	t.Parallel()
	r := newTestRedactor()
	w := &writer{redactor: r}
	w.learn(Source{Problems: []problem.Problem{
		{Details: map[string]string{problem.FactGroup: "All Administrators", problem.FactUserName: "the bridge"}},
	}})
	got := r.text(`for "All Administrators": a push; the bridges; the bridge was not invited`)
	if shown := pseudonymForm.ReplaceAllString(got, "$1-"); shown !=
		`for "text-": a push; the bridges; text- was not invited` {
		t.Errorf("got %q", got)
	}
}

// A problem is about several people or groups, and each of them is called as in the log.
func TestListsOfNamesInProblems(t *testing.T) {
	t.Parallel()
	r := newTestRedactor()
	names := r.names
	for _, row := range []struct{ name, key, value, want string }{
		{"groups", problem.FactGroup, `"All Administrators", "` + aUUID + `" and 3 more`,
			`"` + names.one("All Administrators") + `", "` + names.id(aUUID) + `" and 3 more`},
		{"ids", problem.FactIDs, `"ghost", "` + anID + `"`, `"` + names.one("ghost") + `", "` + names.id(anID) + `"`},
		{"people", problem.FactUserName, "the bridge, page.will and will",
			names.one("the bridge") + ", " + names.one("page.will") + " and " + names.one("will")},
		{"many people", problem.FactUserName, "ann@corp.example, bob and 17 others",
			names.one("ann@corp.example") + ", " + names.one("bob") + " and 17 others"},
		{"one", problem.FactGroup, anID, names.id(anID)},
	} {
		if got := r.tree(row.key, row.value); got != row.want {
			t.Errorf("%s: %q becomes %q, want %q", row.name, row.value, got, row.want)
		}
	}
}

// What the journal knows of has its pseudonym, also as words of the program.
func TestNamesThatTheJournalKnows(t *testing.T) {
	t.Parallel()
	j := journal.Open(journal.Config{})
	defer j.Close()
	j.Append(journal.Event{Kind: journal.PersonCreated, Person: anID, Subject: j.Person("quibble")})
	j.Append(journal.Event{Kind: journal.GroupCreated, Group: aUUID, Subject: j.Group("All Users")})
	names := newPseudonyms(j.Archive(), nil)
	r := newRedactor(names, nil)
	person, group := names.name("quibble"), names.groupName("All Users")
	if person, group := names.id(anID), names.id(aUUID); !strings.HasPrefix(person, "person-") ||
		!strings.HasPrefix(group, "group-") {
		t.Fatalf("the ids are %s and %s", person, group)
	}
	for _, row := range []struct{ name, text, want string }{
		{"a userName", "quibble is taken", person + " is taken"},
		{"in other letters", "Quibble", person},
		{"in a path", "/Users/quibble", "/Users/" + person},
		{"an id", "person=" + anID, "person=" + names.id(anID)},
		{"a quoted name of words of the program", `error="the group \"All Users\" is managed"`,
			`error="the group \"` + group + `\" is managed"`},
		{"in other quotation marks", "'all users'", "'" + group + "'"},
		{"the same words without them", "all users", "all users"},
		{"the value of a field", `displayName="All Users"`, "displayName=" + group},
	} {
		if got := r.text(row.text); got != row.want {
			t.Errorf("%s: %q becomes %q, want %q", row.name, row.text, got, row.want)
		}
	}
}

func TestLabelsOfMetrics(t *testing.T) {
	t.Parallel()
	w := &writer{redactor: newTestRedactor()}
	for _, row := range [][2]string{
		{`x{a="b\"Quibble Will",c="Ann"} 1`, `x{a="b\"text- text-",c="text-"} 1`},
		{`x{a="b\\",c="Ann\n Bob"} 1`, `x{a="b\\",c="text-\n text-"} 1`},
		{`scimbridge_problem{code="members_unknown"} 1`, `scimbridge_problem{code="members_unknown"} 1`},
		{`x{le="0.005"} 12345678`, `x{le="0.005"} 12345678`},
		{`# HELP go_info Information.`, `# HELP go_info Information.`},
	} {
		if got := pseudonymForm.ReplaceAllString(w.metricsLine(row[0]), "$1-"); got != row[1] {
			t.Errorf("%s becomes %s, want %s", row[0], got, row[1])
		}
	}
}

// Too many words that are missing would make bundles unreadable. They do no harm otherwise.
func TestVocabularyHasTheWordsOfThisProgram(t *testing.T) {
	t.Parallel()
	own, err := words.Own("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(own) < 1000 {
		t.Fatalf("the program has %d words: the test would prove nothing", len(own))
	}
	var missing []string
	for _, word := range own {
		if !vocabulary()[word] {
			missing = append(missing, word)
		}
	}
	if len(missing) > len(own)/50 {
		t.Errorf("%d of %d words are missing: run `go run ./internal/words/collect` in bridge/bundle\n%q", len(missing),
			len(own), missing)
	}
}

func TestVocabularyHasNoNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"ann", "Ann", "bob", "Bob", "Smith", "Mark", "Grant", "Will", "Page", "Rose", "May", "April", "Frank",
		"Jordan", "Max", "AL", "BO", "LI", "JO", "MA", "MO", "IT", "HR", "example@", "hunter2", "secret1", "sbt1", "com@",
	} {
		if vocabulary()[name] {
			t.Errorf("%q is in it", name)
		}
	}
	for _, file := range []string{"own.txt", "go.txt", "others.txt"} {
		text, err := os.ReadFile(filepath.Join("vocabulary", file))
		if err != nil {
			t.Fatal(err)
		}
		for word := range strings.Lines(string(text)) {
			word = strings.TrimSuffix(word, "\n")
			if word == "" || len(word) > 32 || strings.Trim(word, letterBytes) != "" {
				t.Errorf("%s has %q", file, word)
			}
		}
	}
}

const letterBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

// whatever surrounds a name and however it is written, it is gone; and what is left is of the known forms.
func FuzzRedact(f *testing.F) {
	const name = "Quixelnathør"
	f.Fuzz(func(t *testing.T, before, after string) {
		r := newTestRedactor("scim.corp.example")
		for _, form := range []string{
			name, strings.ToUpper(name), url.QueryEscape(name), url.QueryEscape(url.QueryEscape(name)),
			strconv.QuoteToASCII(name), strconv.QuoteToASCII(strconv.QuoteToASCII(name)),
			name + "@" + name + ".example",
		} {
			got := r.text(before + form + after)
			if has := func(s string) bool {
				return strings.Contains(strings.ToLower(s), "quixel")
			}; has(got) && !has(before+after) {
				t.Errorf("%q keeps the name: %q", before+form+after, got)
			}
			checkForms(t, got)
		}
	})
}

// checkForms fails if a word of a redacted text is neither in the vocabulary nor of a known form.
func checkForms(t *testing.T, text string) {
	t.Helper()
	text = strings.ReplaceAll(pseudonymForm.ReplaceAllString(text, " "), "scim.corp.example", " ")
	for i := range len(text) {
		if text[i] >= 0x80 {
			t.Errorf("%q is not ASCII", text)
			return
		}
	}
	for _, chunk := range strings.FieldsFunc(text, isDelimiter) {
		chunk = strings.TrimRight(chunk, ".:!?*&")
		if chunk == "" || isHarmless(chunk) || isRequestID(chunk) || hidden == "["+chunk+"]" {
			continue
		}
		eachWord(chunk, func(word string) {
			if !vocabulary()[word] && !isNumber(word) && !isMeasure(word) {
				t.Errorf("%q has the word %q", text, word)
			}
		})
	}
}
