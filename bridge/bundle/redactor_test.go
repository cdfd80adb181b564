package bundle

import (
	"encoding/json"
	"fmt"
	"io"
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
		{"one with a password before a host", "https://ann:quibble@corp.example/x", "https://[hidden]@text-.example/x"},
		{"a password of words before a host", "postgres://account:the-bridge:account@corp.example/the",
			"postgres://[hidden]@text-.example/the"},
		{"ids of people and groups", "resource_id=" + anID + " other " + aUUID, "resource_id=id- other id-"},
		{"a request's id stays", "request_id=" + aRequest, "request_id=" + aRequest},
		{"that of a request to the account, too", "(request id " + aRequest + ")", "(request id " + aRequest + ")"},
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
		{"a key in hexadecimal digits, longer than an address in memory", "0x0123456789abcdef", "text-"},
		{"what is named a secret", `password=secret token: set Authorization: Basic x secret="bridge account"`,
			`password=[hidden] secret="[hidden]"`},
		{"the kind of a token stays", "token=current token=previous", "token=current token=previous"},
		{"fields about people go, whatever they say", `user_name="the bridge" group="the \"first\" group" ids=account`,
			`user_name="text-" group="text-" ids=text-`},
		{"paths keep the words of systems", "/var/lib/scim-bridge/session /home/quibble/scim-bridge",
			"/var/lib/scim-bridge/session /home/text-/scim-bridge"},
		{"paths of Windows, in which no letter is an escape", `open C:\Users\nthe\tthe: denied`,
			`open C:\Users\text-\text-: denied`},
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

// Whatever is around a name or an id, it has the pseudonym of the bare one: a wrong one is worse than none.
func TestOneTextHasOnePseudonym(t *testing.T) {
	t.Parallel()
	const ann = "ann@corp.example"
	r := newTestRedactor("corp.example")
	for _, row := range []struct{ name, text, of string }{
		{"an address in another case", "ANN@Corp.Example", ann},
		{"an address in a URL", "ann%40corp.example", ann},
		{"an address in a path", "path=/scim/v2/Users/" + ann, ann},
		{"an address as a part of a path", "/Users/" + ann + "/groups", ann},
		{"an address before a parameter", "email=" + ann + "&x=1", ann},
		{"an address in a query", "https://x.example/find?q=" + ann + "&count=1#top", ann},
		{"an address before a fragment", ann + "#x", ann},
		{"an address in a link", "mailto:" + ann + "?subject=x", ann},
		{"an address in a filter of a form", "userName+eq+%22ann%40corp.example%22", ann},
		{"an address in a filter", `/Users?filter=userName%20eq%20%22` + ann + `%22&count=1`, ann},
		{"an address in a field", `user_name="` + ann + `"`, ann},
		{"an address in JSON", `{"userName":"` + ann + `"}`, ann},
		{"an address in a quotation", `body="{\"userName\":\"` + ann + `\"}"`, ann},
		{"an address at the end of a sentence", "who is " + ann + "?", ann},
		{"an address with a kept host behind another", "of ann@mail.corp.example", "ann@mail.corp.example"},
		{"an address with a tag", "/Users/ann+x@corp.example/", "ann+x@corp.example"},
		{"an address with a quotation", `to "ann quibble"@corp.example`, `"ann quibble"@corp.example`},
		{"an id in a path", "/Users/" + anID, anID},
		{"an id in a URL", `Get "https://x.example/v1/people/` + anID + `": EOF`, anID},
		{"an id in a query", "?id=" + anID + "&x=1", anID},
		{"an id behind a colon", "id:" + anID, anID},
		{"an id of another kind in a path", "/Users/" + aUUID + "/x", aUUID},
		{"an id of another kind in capitals", strings.ToUpper(aUUID), aUUID},
		{"an id in brackets", "[" + anID + "]", anID},
		{"an id as the value of a field", "person=" + anID, anID},
		{"a word in another case", "QUIBBLE", "Quibble"},
	} {
		if got, want := r.text(row.text), r.text(row.of); !strings.Contains(got, want) ||
			len(pseudonymForm.FindAllString(got, -1)) > strings.Count(got, want)+strings.Count(got, "text-") {
			t.Errorf("%s: %q becomes %q, without %s", row.name, row.text, got, want)
		}
	}
	for _, row := range [][2]string{
		{ann, "bob@corp.example"}, {ann, "ann@mail.corp.example"}, {anID, strings.Replace(anID, "6", "7", 1)},
		{"Quibble", "Quibbles"},
	} {
		if a, b := r.text(row[0]), r.text(row[1]); a == b {
			t.Errorf("%s and %s are %s", row[0], row[1], a)
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

var secretForms = []string{
	`{"password":"%s"}`, `{"password": "%s"}`, `{"user":{"password" : "%s"}}`, `body="{\"password\":\"%s\"}"`,
	`body="{\"x\":\"y\",\"client_secret\": \"%s\"}" status=400`, `error="request {\\\"password\\\":\\\"%s\\\"}"`,
	"password:%s", "password: %s", "password=%s", "password = %s", "password := %s", "password => %s", "password -> %s",
	"password='%s'", "password=(%s)", "password=[%s]", "password={%s}", "password=`%s`", `password=\"%s\"`,
	`password="%s"`, `--password "%s"`, `--password='%s'`, `--api-key="%s"`, `PASSWORD="%s"`, `x_password_y="%s"`,
	`op.token="%s"`, "token=%%22%s%%22", "?access_token=%s", "<password>%s</password>", "<password>%s",
	`error="password: %s" status=500`, `error="bad token: %s"`, "\tpassword:\t%s", "Password:%s",
	"Authorization: Basic %s", "Authorization: Bearer %s", "authorization=\"Bearer %s\"", "Proxy-Authorization: %s",
	"Bearer %s", "Cookie: %s", "Cookie: a=%s; b=%[1]s", "Set-Cookie: session=%s; Path=/", "cookie=\"a=%s\"",
	`header="Cookie: a=%s; b=%[1]s" status=400`, "X-Api-Key: %s", "api-key: %s", "api_key=%s", "apikey=%s",
	"apiKey: %s",
	"pass=%s", "pwd=%s", "pin=%s", "otp=%s", "key=%s", "passcode=%s", "passphrase: %s", "private_key=%s", "psk=%s",
	"session=%s", "jwt=%s", "password=x%s", "password=\"%s", "password='%s", "password=[%s",
	`the password "%s" is wrong`, `error="bad token \"%s\""`, "no such secret '%s'", "the passphrase `%s`",
	`{"op":"replace","path":"password","value":"%s"}`, `curl -H "Authorization: Bearer %s" https://x.example`,
	"sessionid=%s", "session_id: %s", "JSESSIONID=%s; Path=/", "pass phrase: %s", "token[0]=%s", "user[password]=%s",
	"map[password:%s]", "{Password:%s Active:true}", "export PASSWORD=%s", "host=x user=y password=%s sslmode=disable",
}

// A passphrase of words is as secret as one of other letters, and words alone do not give it away.
func TestValuesOfSecretKeysAreHiddenWhateverTheyAre(t *testing.T) {
	t.Parallel()
	const secret = "the bridge account 12345"
	for _, form := range secretForms {
		for name, text := range map[string]string{
			"as it is": secret, "with commas": strings.ReplaceAll(secret, " ", ","),
			"as a word":            strings.ReplaceAll(secret, " ", "-"),
			"with other signs":     strings.ReplaceAll(secret, " ", ";"),
			"in a URL":             strings.ReplaceAll(secret, " ", "%20"),
			"with quotation marks": strings.ReplaceAll(secret, " ", "'a"), "alone": "12345",
		} {
			line := fmt.Sprintf(form, text)
			got := newTestRedactor().text(line)
			for _, word := range []string{"bridge", "account", "12345"} {
				if strings.Contains(got, word) {
					t.Errorf("%s: %s becomes %s", name, line, got)
					break
				}
			}
		}
	}
	r := newTestRedactor("lLYVWyZrZY0YycUn")
	for _, stays := range []string{
		"--password ", "Bearer ", "password: ", "password", "=", "password=\"", "<password>", "user_name=",
		"userName eq ",
		"problem=sealed session=lLYVWyZrZY0YycUn", `error="token_rejected: the bearer token is not of this session"`,
		"the bridge is sealed: the first request with the bearer token opens it", "token=current status=200",
		"token: set",
		`{"token":"previous","status":200}`, "reading the token: open /var/lib/scim-bridge/token: permission denied",
		"password=[hidden] status=200", `unknown member "count"`, `the key "count" is missing`,
		`open the session "current"`,
	} {
		if got := r.text(stays); got != stays {
			t.Errorf("%q becomes %q", stays, got)
		}
	}
}

var personalForms = []string{
	`{"userName":"%s"}`, `{"displayName": "%s"}`, `{"name":{"givenName":"%s","familyName":"%[1]s"}}`,
	`{"emails":[{"value":"%s","primary":true}]}`, `{"members":[{"value":"x","display":"%s"}]}`, `{"groups":["%s"]}`,
	`body="{\"userName\":\"%s\"}"`, `error="{\\\"userName\\\":\\\"%s\\\"}"`, `userName eq "%s"`,
	`userName eq '%s'`, `filter="userName eq \"%s\" and active eq true"`, "userName+eq+%%22%s%%22",
	`displayName sw "%s"`,
	`emails[type eq "work"].value eq "%s"`, `urn:ietf:params:scim:schemas:core:2.0:User:userName eq "%s"`,
	"user_name: %s", `user_name="%s"`, `user_name='%s'`, `user_name="%s`, `groups="%s"`, `group="%s"`, `member="%s"`,
	`members="%s"`, `user="%s"`, "given_name='%s'", `externalId="%s"`, `nickName="%s"`, `formatted="%s"`, `title="%s"`,
	"names=[%s]", `names=["%s", "%[1]s"]`, `"user": "%s"`, `ids="\"%s\", \"x\""`, `user_name="%s <ann@corp.example>"`,
	"<userName>%s</userName>", "userName -> %s", `value="%s"`, `no user "%s" is there`, `error="no group \"%s\""`,
	"user=%s", "cn=%s", "uid=%s", "CN=%s,OU=x", "user[name]=%s", "users[0]=%s", `userName gt "%s"`, "emails.value=%s",
	"group=%s status=404", "no person '%s'", `{"op":"replace","path":"userName","value":"%s"}`, "map[userName:%s]",
	"{UserName:%s Active:true}",
}

// People and groups are called by words of the program, too.
func TestValuesOfPersonalKeysAreReplacedWhateverTheyAre(t *testing.T) {
	t.Parallel()
	for _, form := range personalForms {
		for _, name := range []string{"will page", "the bridge", "page", "47112"} {
			line := fmt.Sprintf(form, name)
			got := newTestRedactor().text(line)
			for _, word := range strings.Fields(name) {
				if regexp.MustCompile(`\b` + word + `\b`).MatchString(got) {
					t.Errorf("%s becomes %s", line, got)
				}
			}
		}
	}
	r := newTestRedactor()
	for _, stays := range []string{"users=5 members=12", "the group: it is managed", `{"active":true,"count":5}`} {
		if got := r.text(stays); got != stays {
			t.Errorf("%q becomes %q", stays, got)
		}
	}
}

// Names that are words of the program are known from the problems, one by one.
func TestNamesInProblemsAreReplacedEverywhere(t *testing.T) {
	t.Parallel()
	problems := []problem.Problem{{Details: map[string]string{
		problem.FactGroup: `"All Administrators", "` + aUUID + `" and 3 more`,
		problem.FactIDs:   `"ghost", "` + anID + `"`,
	}}, {Details: map[string]string{
		problem.FactUserName: "the bridge, page.will and will",
	}}, {Details: map[string]string{
		problem.FactUserName: "token and 3 others",
	}}}
	names := newTestRedactor().names
	w := &writer{redactor: newRedactor(names, nil)}
	w.learn(Source{Problems: problems})
	r := w.redactor
	for _, row := range []struct{ name, text, want string }{
		{
			"texts about them", `for "All Administrators": a push; the bridges; The Bridge was not invited`,
			`for "` + names.one("All Administrators") + `": a push; the bridges; ` + names.one("the bridge") +
				` was not invited`,
		},
		{"one of several", "PAGE.WILL", names.one("page.will")},
		{"one of several, in a form", "All+Administrators", names.one("all administrators")},
		{"one with others that are counted", "the token", "the " + names.one("token")},
		{"the list itself", problems[0].Details[problem.FactGroup],
			`"` + names.one("All Administrators") + `", "` + names.id(aUUID) + `" and 3 more`},
		{"a list in the log", `ids="\"ghost\", \"` + anID + `\""`,
			`ids="\"` + names.one("ghost") + `\", \"` + names.id(anID) + `\""`},
	} {
		if got := r.text(row.text); got != row.want {
			t.Errorf("%s: %q becomes %q, want %q", row.name, row.text, got, row.want)
		}
	}
}

// Thousands who wait cost a line what one does.
func TestNamesOfThoseWhoWait(t *testing.T) {
	t.Parallel()
	waiting := []bridge.Attention{
		{PersonID: anID, UserName: "4711"}, {PersonID: aUUID, UserName: "user-4711"}, {UserName: "page.will"},
		{UserName: "all users"},
	}
	names := newPseudonyms(journal.Archive{}, waiting)
	w := &writer{redactor: newRedactor(names, nil)}
	w.learn(Source{Waiting: waiting})
	for _, row := range []struct{ name, text, want string }{
		{"a number in a path", "/Users/4711", "/Users/" + names.name("4711")},
		{"a number", "the user 4711", "the user " + names.name("4711")},
		{"a name with a number", "user-4711 /Users/user-4711",
			names.name("user-4711") + " /Users/" + names.name("user-4711")},
		{"a name of two words", "PAGE.WILL All+Users", names.name("page.will") + " " + names.name("all users")},
		{"another number", "status=200 after 17 requests", "status=200 after 17 requests"},
	} {
		if got := w.redactor.text(row.text); got != row.want {
			t.Errorf("%s: %q becomes %q, want %q", row.name, row.text, got, row.want)
		}
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
		{"a list in a quotation", problem.FactIDs, `\"ghost\", \"will page\"`,
			`\"` + names.one("ghost") + `\", \"` + names.one("will page") + `\"`},
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
	j.Append(journal.Event{Kind: journal.PersonCreated, Person: anID, Subject: j.Person("4711")})
	j.Append(journal.Event{Kind: journal.PersonCreated, Person: anID, Subject: j.Person("user.page")})
	j.Append(journal.Event{Kind: journal.GroupCreated, Group: aUUID, Subject: j.Group("All Users")})
	j.Append(journal.Event{Kind: journal.GroupCreated, Group: aUUID, Subject: j.Group("IT")})
	names := newPseudonyms(j.Archive(), nil)
	r := newRedactor(names, nil)
	if person, group := names.id(anID), names.id(aUUID); !strings.HasPrefix(person, "person-") ||
		!strings.HasPrefix(group, "group-") {
		t.Fatalf("the ids are %s and %s", person, group)
	}
	person, group := names.name("quibble"), names.groupName("All Users")
	for _, row := range []struct{ name, text, want string }{
		{"a userName", "quibble is taken", person + " is taken"},
		{"in other letters", "Quibble", person},
		{"in a path", "/Users/quibble", "/Users/" + person},
		{"in a path with more behind it", "/Users/quibble?x=1", "/Users/" + person + "?x=1"},
		{"an id", "person=" + anID, "person=" + names.id(anID)},
		{"a number in a path", "path=/Users/4711", "path=/Users/" + names.name("4711")},
		{"the same number as a status", "status=4711 port=4711", "status=4711 port=4711"},
		{"a userName of words of the program", "/Users/USER.page is user.page",
			"/Users/" + names.name("user.page") + " is " + names.name("user.page")},
		{"a quoted name of words of the program", `error="the group \"All Users\" is managed"`,
			`error="the group \"` + group + `\" is managed"`},
		{"in other quotation marks", "'all users'", "'" + group + "'"},
		{"the same words without them", "all users", "all users"},
		{"the value of a field", `displayName="All Users"`, `displayName="` + group + `"`},
		{"a name of two letters", `the group "IT"`, `the group "` + names.groupName("it") + `"`},
	} {
		if got := r.text(row.text); got != row.want {
			t.Errorf("%s: %q becomes %q, want %q", row.name, row.text, got, row.want)
		}
	}
}

// The log has a value with line breaks below its key.
func TestValuesOfSeveralLines(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"below a key about people", "[INFO] request: status=200\n  user_name=\n  | the bridge\n  | will page\n  ms=5",
			"[INFO] request: status=200\n  user_name=\n  | text-\n  | text-\n  ms=5"},
		{"below a key of a secret", "  password=\n  | the bridge\n  | account\n  status=200\nthe bridge",
			"  password=\n  | [hidden]\n  | [hidden]\n  status=200\nthe bridge"},
		{"one behind the other", "  password=\n  | the bridge\n  user_name=\n  | account",
			"  password=\n  | [hidden]\n  user_name=\n  | text-"},
		{"in another way", "password:\n  the bridge\nthe account", "password:\n  [hidden]\nthe account"},
		{"a key within a value", "  error=\n  | the password:\n  | the bridge",
			"  error=\n  | the password:\n  | [hidden]"},
		{"other lines", "  error=\n  | the bridge\n  | the account", "  error=\n  | the bridge\n  | the account"},
		{"another entry of the log", "the token:\n2026-11-29T03:12:08.114Z the bridge", "the token:\n" +
			"2026-11-29T03:12:08.114Z the bridge"},
	} {
		var b strings.Builder
		w := &writer{}
		err := w.redacted(&b, (&lines{redactor: newTestRedactor()}).next, func(w io.Writer) error {
			_, err := io.WriteString(w, row.text)
			return err
		})
		for what, got := range map[string]string{
			"in the log": b.String(), "in a document": newTestRedactor().text(row.text),
		} {
			if shown := pseudonymForm.ReplaceAllString(got, "$1-"); err != nil || shown != row.want {
				t.Errorf("%s %s: %q, %v, want %q", row.name, what, shown, err, row.want)
			}
		}
	}
}

// The end of a line that is too long says nothing of what it is the end of.
func TestLongLinesAreCut(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	w := &writer{}
	err := w.redacted(&b, newTestRedactor().text, func(w io.Writer) error {
		_, err := io.WriteString(w, `password="`+strings.Repeat("the account ", longestLine/5)+"\nthe bridge")
		return err
	})
	if want := "password=\"[hidden] [...]\nthe bridge"; err != nil || b.String() != want {
		t.Errorf("%.200q, %v, want %q", b.String(), err, want)
	}
}

func TestNumbersThatMayBeSomebodys(t *testing.T) {
	t.Parallel()
	r := newTestRedactor()
	for _, text := range []string{
		"+49 30 1234567", "+49.30.123.4567", "01.23.45.67.89", "12345-67890", "1234 5678", "555-1234", "(030) 123-4567",
		"12345.67890.12345", "4111.1111.1111.1111", "4111 1111 1111 1111", "1985-03-12", "12.03.1985", "12/03/1985",
		"1985-03-12T00:00:00Z", "B12 030 123 4567", "x1 4111 1111 1111 1111", "DE12 3456 7890 1234 5678 90",
		"2026-11-29 4111 1111 1111 1111", "call 0171 1234567 or 555-1234", "123456789",
	} {
		got := pseudonymForm.ReplaceAllString(r.text(text), "")
		for _, group := range regexp.MustCompile(`\d{3,}`).FindAllString(text, -1) {
			if group != "2026" && strings.Contains(got, group) {
				t.Errorf("%q becomes %q", text, got)
			}
		}
	}
	for _, text := range []string{
		"2026-11-29T03:12:08.114Z [INFO] request: status=200 ms=12", "2026/11/29 03:12:08 the request",
		"192.168.100.200:443",
		"192.168.100.200 10.20.30.40", "192.168.100.0/24, 203.0.113.77", "5 17 200", "-1.5", "HTTP/1.1",
		"0001-01-01T00:00:00Z", "2026-12-01", "port 65535", "1.26.4", "2026-11-29 03:12:08 +0000 UTC",
	} {
		if got := r.text(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// IT and HR are the most common groups that there are, and the codes of countries.
func TestCodesOfCountriesStayWhereTheyAreSuch(t *testing.T) {
	t.Parallel()
	r := newTestRedactor()
	for _, row := range [][2]string{
		{"the groups IT, HR", "the groups text-, text-"},
		{`country=IT rule_values="DE, AT"`, `country=IT rule_values="DE, AT"`},
	} {
		if got := pseudonymForm.ReplaceAllString(r.text(row[0]), "$1-"); got != row[1] {
			t.Errorf("%q becomes %q, want %q", row[0], got, row[1])
		}
	}
	if got := r.tree(problem.FactCountry, "IT"); got != "IT" {
		t.Errorf("a country becomes %v", got)
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	r := newTestRedactor()
	for _, row := range []struct{ name, text, want string }{
		{"a member that is a name", `{"will@corp.example":"the bridge"}`, `{"name-":"the bridge"}`},
		{"a setting with a secret", `{"setting":"x-token","value":"the bridge","source":"flag"}`,
			`{"setting":"x-token","source":"flag","value":"[hidden]"}`},
		{"one that is not set", `{"setting":"session","value":"not set"}`, `{"setting":"session","value":"not set"}`},
		{"one that says where a secret is", `{"setting":"unseal-token-file","value":"/run/token"}`,
			`{"setting":"unseal-token-file","value":"/run/token"}`},
		{"a member about a person", `{"userName":"the bridge"}`, `{"userName":"text-"}`},
		{"a member with a secret", `{"a":{"secret":"the bridge"}}`, `{"a":{"secret":"[hidden]"}}`},
	} {
		var v any
		if err := json.Unmarshal([]byte(row.text), &v); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(r.tree("", v))
		if shown := pseudonymForm.ReplaceAllString(string(got), "$1-"); err != nil || shown != row.want {
			t.Errorf("%s: %s, %v, want %s", row.name, shown, err, row.want)
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
		"Jordan", "Max", "AL", "BO", "LI", "JO", "MA", "MO", "IT", "HR", "example@", "hunter2", "secret1", "sbt1",
		"com@",
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

// Whatever is before and behind a name and however it is written, it is gone, its address keeps its pseudonym, and what
// is left is of the known forms. So it is with names and secrets of words where a key says what they are.
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
		const words = "will page"
		some := func(forms []string) []string { // all of them would take long, and a test of their own has them
			n := (len(before)*31 + len(after)) % len(forms)
			return forms[n:min(n+4, len(forms))]
		}
		for _, form := range some(personalForms) {
			for _, value := range []string{words, "4711"} {
				line := before + "\n" + fmt.Sprintf(form, value) + "\n" + after
				got := pseudonymForm.ReplaceAllString(r.text(line), "")
				if strings.Contains(got, "page") && !strings.Contains(before+after, "page") ||
					strings.Contains(got, "4711") && !strings.Contains(before+after, "4711") {
					t.Errorf("%q keeps a name: %q", line, got)
				}
			}
		}
		for _, form := range some(secretForms) {
			line := before + "\n" + fmt.Sprintf(form, "the bridge account") + "\n" + after
			if got := r.text(line); strings.Contains(got, "bridge") && !strings.Contains(before+after, "bridge") {
				t.Errorf("%q keeps a secret: %q", line, got)
			}
		}
		for _, of := range []string{"ann@corp.example", anID, aUUID} {
			want := r.text(of)
			line := before + " /Users/" + of + "?x=1 " + after
			if got := r.text(line); !strings.Contains(got, want) && !strings.Contains(got, hidden) &&
				isPlain(before+after) {
				t.Errorf("%q becomes %q, without %s", line, got, want)
			}
		}
	})
}

// isPlain reports whether what is around a text is no key, address or quotation that it belongs to.
func isPlain(s string) bool { return !strings.ContainsAny(s, "=:@\"'`\\%<>()[]{}+") }

// checkForms fails if a word of a redacted text is neither in the vocabulary nor of a known form.
func checkForms(t *testing.T, text string) {
	t.Helper()
	text = moment.ReplaceAllString(pseudonymForm.ReplaceAllString(text, " "), " ")
	text = strings.ReplaceAll(text, "scim.corp.example", " ")
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
