package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// unzip returns the files of a bundle by their names.
func unzip(t *testing.T, bundle []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

// bundleOf runs the command and returns the files of what it wrote.
func bundleOf(t *testing.T, args ...string) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.zip")
	output(t, slices.Concat([]string{"support-bundle", "-o", path}, args)...)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the bundle is %v, %v", info, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return unzip(t, content)
}

// A traced person is one whose name and address are looked for, whole and in pieces.
type traced struct{ userName, given, family, address string }

// People with what people have in names and addresses. The pieces of four letters and more are words of no program.
var tracedPeople = []traced{
	{"QUIBBLE.Worthing+Tag@Zyxcorp.Example", "Quibblina", "O'Worthingsen", "QUIBBLE.Worthing+Tag@Zyxcorp.Example"},
	{
		"zoë.ørstedsdottir@münchner-wälder.example", "Zoëtrine", "Ørstedsdottir-Łukaszek",
		"zoë.ørstedsdottir@münchner-wälder.example",
	},
	{`"vexed blorptin"@zyxcorp.example`, `Vexed "Blorp"`, "Krünkelbach", "vexedblorptin@zyxcorp.example"},
	{"gnarlfoot", "Gnarlfield", "Smörgåsbordson", "gnarlfoot%jinx@zyxcorp.example"},
	{"田中さくら@zyxcorp.example", "田中", "さくらこ", "tanakasakurako@zyxcorp.example"},
	{"snickerdoo_77123@zyxcorp.example", "Sníckerdøø", "McFlimflam", "snickerdoo_77123@zyxcorp.example"},
}

var tracedGroups = []string{`Frobnicators "West Wobble"`, "Zürcher Glühbirnen & Söhne", "snargle%20crew"}

// pieces are what must not be in a bundle of a text: the text, and its runs of at least four letters.
func pieces(texts ...string) (all []string) {
	for _, text := range texts {
		if len([]rune(text)) >= 4 {
			all = append(all, text)
		}
		for _, run := range strings.FieldsFunc(text, func(c rune) bool { return !unicode.IsLetter(c) }) {
			n := len([]rune(run))
			switch {
			case strings.EqualFold(run, "example"), run == "West":
			case n >= 4, n >= 2 && run[0] > 0xe0: // of a script with short names
				all = append(all, run)
			}
		}
	}
	return all
}

// forms are the ways in which a text may be written.
func forms(text string) []string {
	quoted := fmt.Sprintf("%+q", text)
	asJSON, _ := json.Marshal(text)
	return []string{
		text, url.QueryEscape(text), url.PathEscape(text), quoted[1 : len(quoted)-1], string(asJSON[1 : len(asJSON)-1]),
	}
}

// secretsEverywhere are at every place where an operator or a client could put one, by these places.
var secretsEverywhere = map[string]string{
	"a User-Agent":        "sk-live-Xq9pLm42ZtR7",
	"the revision":        "correcthorse-Batterystaple9",
	"a password":          "Tr0ub4dor&3xyzzy",
	"a path":              "plughmagicword",
	"the query of a URL":  "openSesame4711plugh",
	"a cookie":            "cookieMonster0815x",
	"an unknown variable": "SCIMBRIDGE_XYZZYPLUGHFROTZ",
	"a monitoring token":  "frotzmonitor gnusto rezrov",
	"basic credentials":   "YWRtaW46aHVudGVyMg==",
	"a JWT":               "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
	"a Secret Key":        "A3-FGHJKM-NPQRST-VWXYZ-23456-ABCDE-FGHJK",
	"the id of a file":    "AKIAQWERTYUIOPASDFGH",
	"a private key":       "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
	"a phone number":      "+49 30 1234567",
	"an employee number":  "00471133",
}

// earlierLog is what a process of before may have logged, of another version or with a fault: names and secrets in each
// place of a line.
func earlierLog(at time.Time) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(at.UTC().Format("2006-01-02T15:04:05.000Z") + " [ERROR] scim-bridge.scim: " +
			fmt.Sprintf(format, args...) + "\n")
		at = at.Add(time.Millisecond)
	}
	for _, p := range tracedPeople {
		for _, text := range []string{p.userName, p.given, p.family, p.address, p.given + " " + p.family} {
			for _, form := range forms(text) {
				line("request failed: path=/scim/v2/Users/%s error=%q", form, form+" is another person's")
				line(`filter=userName%%20eq%%20%%22%s%%22 user_name="%s"`, form, form)
				line("the account refused %s: %q (%s)", form, fmt.Sprintf("%q", form), strings.ToUpper(form))
				line("Get \"https://%s:x@account.example/v1/members?q=%s&%s=1\": EOF", form, form, form)
				line("panic: %s\ngoroutine 1 [running]:\n\t/home/%s/bridge/scim/server.go:94 +0x1d4", form, form)
			}
		}
	}
	for _, name := range tracedGroups {
		for _, form := range forms(name) {
			line("members passed over: group=%q ids=%q", form, form)
			line("group %s: displayName eq \"%s\"", form, form)
		}
	}
	line(`request {"userName":"will page","displayName": "will page"} user_name='will page'`)
	line("panic: body={\"password\":\"the account page 12345\"} Cookie: a=the account page 12345")
	line("request:\n  user_name=\n  | will page\n  password=\n  | the account page 12345")
	for place, secret := range secretsEverywhere {
		for _, form := range forms(secret) {
			line("%s: %s", place, form)
			line("refused: value=%q Authorization: Bearer %s", form, form)
			line("https://example.com/a/%s?token=%s#%s", form, form, form)
		}
	}
	return b.String()
}

// checkTellsNothing looks for people, groups and secrets in all files.
func checkTellsNothing(t *testing.T, what string, files map[string]string, more ...string) {
	t.Helper()
	var traces []string
	for _, p := range tracedPeople {
		traces = append(traces, pieces(p.userName, p.given, p.family, p.address)...)
	}
	traces = append(traces, pieces(tracedGroups...)...)
	for _, secret := range secretsEverywhere {
		traces = append(traces, secret)
		for _, run := range regexp.MustCompile(`[A-Za-z0-9]{7,}`).FindAllString(secret, -1) {
			if run != "SCIMBRIDGE" {
				traces = append(traces, run)
			}
		}
	}
	traces = append(traces, more...)
	traces = append(traces, "will page", "the account page", "12345")
	looked := map[string]string{}
	for _, trace := range traces {
		for _, form := range forms(trace) {
			looked[strings.ToLower(form)] = form
		}
	}
	for name, text := range files {
		folded := strings.ToLower(text)
		for lower, form := range looked {
			if at := strings.Index(folded, lower); at >= 0 {
				t.Errorf("%s: %s has %q: ...%q...", what, name, form, folded[max(0, at-80):min(len(folded), at+80)])
			}
		}
	}
}

// What an operator hands out has no secret in it and nobody's name, whatever people are called and whatever was put
// where.
func TestSupportBundleHasNeitherPeopleNorSecrets(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := filepath.Join(t.TempDir(), secretsEverywhere["a path"], "Quibblina")
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := session.WriteFile(filepath.Join(dir, "session"), pair.sealed); err != nil {
		t.Fatal(err)
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	log := filepath.Join(dir, "log",
		"scim-bridge-"+yesterday.UTC().Format("20060102T150405.000000000Z")+"-aaaaaaaa.log")
	if err := os.WriteFile(log, []byte(earlierLog(yesterday)), 0o600); err != nil {
		t.Fatal(err)
	}
	monitoring := filepath.Join(t.TempDir(), "monitoring-token")
	if err := os.WriteFile(monitoring, []byte(secretsEverywhere["a monitoring token"]), 0o600); err != nil {
		t.Fatal(err)
	}
	b := serveWith(t, dir, []string{
		secretsEverywhere["an unknown variable"] + "=" + secretsEverywhere["a password"],
		"SCIMBRIDGE_REVISION=" + secretsEverywhere["the revision"],
		"OP_CONFIRMATION_INTERVAL=60", "OP_SESSION=" + pair.sealed, "SCIMBRIDGE_LOG_FORMAT=json",
	}, "--monitoring-token-file", monitoring)
	feedPeople(t, b, pair)
	wrong, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	ask(t, http.MethodGet, b.url("/Users"), wrong.Reveal(), "")

	password, key := pair.credentials.Secrets.Reveal()
	secrets := []string{pair.token.Reveal(), wrong.Reveal(), password, key, pair.sealed, manager}
	secrets = append(secrets, strings.Split(key, "-")[1:]...)
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(pair.token.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	b.awaitProblem("members_unknown")
	b.awaitProblem("address_missing")
	cookie, _ := b.signIn(pair.token.Reveal())
	byPage := ask(t, http.MethodGet, b.url("/app/support-bundle"), "", "", "Cookie", cookie)
	if byPage.status != http.StatusOK {
		t.Fatalf("the page's bundle: %d %s", byPage.status, byPage.body)
	}
	bundles := map[string]map[string]string{
		"page":   unzip(t, []byte(byPage.body)),
		"URL":    bundleOf(t, "--url", b.url(""), "--token-file", tokenFile),
		"socket": bundleOf(t, dir),
	}
	for what, files := range bundles {
		checkTellsNothing(t, what, files, secrets...)
		var names []string
		for name := range files {
			names = append(names, name)
		}
		slices.Sort(names)
		if want := []string{
			"README.txt", "configuration.json", "health.json", "journal/events.jsonl", "metrics.txt",
			"scim-bridge.log", "status.json", "versions.json", "waiting.jsonl",
		}; !slices.Equal(slices.DeleteFunc(names, isSummary), want) {
			t.Errorf("%s: the files are %q", what, names)
		}
		// What must be there to help.
		for name, want := range map[string]string{
			"scim-bridge.log":    "client=127.0.0.1",
			"configuration.json": `"source": "variable SCIMBRIDGE_LOG_FORMAT"`,
			"metrics.txt":        `scimbridge_problem{code="members_unknown"} 1`,
			"health.json":        `"code": "members_unknown"`,
			"status.json":        `"connection": "ready"`,
			"versions.json":      `"go": "go1.`,
		} {
			if !strings.Contains(files[name], want) {
				t.Errorf("%s: %s lacks %s:\n%.2000s", what, name, want, files[name])
			}
		}
	}
	b.terminate()
	left := bundleOf(t, dir)
	checkTellsNothing(t, "folder", left, secrets...)
	if !strings.Contains(left["README.txt"], "no bridge was running in the data folder") ||
		!strings.Contains(left["scim-bridge.log"], "client=127.0.0.1") || left["journal/events.jsonl"] == "" {
		t.Errorf("of a bridge that does not run: %q", left["README.txt"])
	}
	// Who took data out is a question for an audit.
	if n := strings.Count(left["journal/events.jsonl"], `"kind":"bundle_made"`); n != len(bundles) {
		t.Errorf("the journal has %d of %d bundles", n, len(bundles))
	}
}

// isSummary reports whether a file of a bundle is there only after a minute has ended.
func isSummary(name string) bool {
	return name == "journal/reads.jsonl" || name == "journal/traffic.jsonl"
}

// feedPeople does with the traced people what makes a bridge log and remember.
func feedPeople(t *testing.T, b *process, p pair) {
	t.Helper()
	token := p.token.Reveal()
	send := func(method, path string, body any) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		ask(t, method, b.url("/scim/v2"+path), token, string(text), // some are refused, which is logged, too
			"User-Agent", "Okta SCIM Client "+secretsEverywhere["a User-Agent"]+" "+tracedPeople[0].address,
			"Cookie", "a="+secretsEverywhere["a cookie"])
	}
	for _, who := range tracedPeople {
		body := map[string]any{
			"userName": who.userName, "displayName": who.given + " " + who.family,
			"name":   map[string]string{"givenName": who.given, "familyName": who.family},
			"emails": []map[string]any{{"value": who.address, "primary": true}},
		}
		send(http.MethodPost, "/Users", body)
		send(http.MethodPost, "/Users", body) // refused
		send(http.MethodGet, "/Users/"+url.PathEscape(who.userName), nil)
		send(http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "`+who.userName+`"`)+
			"&access_token="+secretsEverywhere["the query of a URL"], nil)
		send(http.MethodPatch, "/Users/"+url.PathEscape(who.address), body)
		delete(body, "emails")
		body["userName"] = who.given + " " + who.family // which is no address
		send(http.MethodPost, "/Users", body)
	}
	for _, name := range tracedGroups {
		send(http.MethodPost, "/Groups", map[string]any{
			"displayName": name,
			"members": []map[string]string{
				{"value": tracedPeople[0].userName, "display": tracedPeople[0].given}, {"value": tracedPeople[1].given},
			},
		})
	}
}

// An id and each name have one pseudonym in all files and in all bundles, however they were made and whatever the
// bridge knew at the time; the bundle says which are of one person, and the operator can find them.
func TestAPersonHasTheSamePseudonymsInAllBundles(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir, "--confirmation-interval=30s") // when those who wait are asked for
	const body = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"quibblethorpe",` +
		`"emails":[{"value":"Ann.Ramblethorpe@example.com","type":"work","primary":true}]}`
	got := ask(t, http.MethodPost, b.url("/Users"), pair.token.Reveal(), body)
	request := got.header.Get("X-Request-Id")
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(got.body), &made); err != nil || got.status != http.StatusCreated {
		t.Fatalf("creating her: %d %s", got.status, got.body)
	}
	other, _ := create(t, b, pair, "bob@example.com")
	taken := strings.Replace(body, "quibble", "QUIBBLE", 1)
	ask(t, http.MethodPost, b.url("/Users"), pair.token.Reveal(), taken)
	await(t, "those who wait", func() bool { return strings.Contains(bundleOf(t, dir)["waiting.jsonl"], "person-") })

	// The operator asks for the pseudonyms.
	pseudonym := func(name string) (first, all string) {
		t.Helper()
		all = output(t, "support-bundle", "--pseudonym", name, dir)
		first, _, _ = strings.Cut(all, " ")
		return first, all
	}
	id, _ := pseudonym(made.ID)
	userName, all := pseudonym("quibblethorpe")
	address, _ := pseudonym(" ANN.RAMBLETHORPE@EXAMPLE.COM")
	if !strings.HasPrefix(id, "person-") || !strings.HasPrefix(userName, "name-") ||
		!strings.HasPrefix(address, "name-") || !strings.Contains(all, id+"  the id of a person") {
		t.Errorf("her pseudonyms are %q, %q and %q:\n%s", id, userName, address, all)
	}
	if theirs, _ := pseudonym(other); theirs == id {
		t.Error("two people have one pseudonym")
	}

	cookie, _ := b.signIn(pair.token.Reveal())
	page := ask(t, http.MethodGet, b.url("/app/support-bundle"), "", "", "Cookie", cookie)
	events := []string{
		`"kind":"person_created","request":"` + request + `","token":"current","person":"` + id + `","subject":"` +
			userName + `"`,
		`"method":"POST","subject":"` + userName + `","status":409`,
	}
	inLog := `request_id=` + request + ` resource_id=` + id + " "
	check := func(how string, files map[string]string, file string, want ...string) {
		t.Helper()
		for _, text := range want {
			if !strings.Contains(files[file], text) {
				t.Errorf("%s: %s lacks %s:\n%s", how, file, text, files[file])
			}
		}
	}
	for how, files := range map[string]map[string]string{
		"page": unzip(t, []byte(page.body)), "socket": bundleOf(t, dir),
	} {
		check(how, files, "journal/events.jsonl", events...)
		check(how, files, "scim-bridge.log", inLog)
		check(how, files, "waiting.jsonl",
			`{"person":"`+id+`","user_name":"`+userName+`","address":"`+address+`","kind":"`)
	}
	b.terminate()
	check("folder", bundleOf(t, dir), "journal/events.jsonl", events...)

	// The journal forgets in time, and the log may be older.
	found, err := filepath.Glob(filepath.Join(dir, "journal", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if filepath.Base(path) != "key" {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	check("a forgetful journal", bundleOf(t, dir), "scim-bridge.log", strings.Replace(inLog, "=person-", "=id-", 1))
	for name, want := range map[string]string{"quibblethorpe": userName, "ann.ramblethorpe@example.com": address} {
		if again, _ := pseudonym(name); again != want {
			t.Errorf("the pseudonym of %s was %s and is %s", name, want, again)
		}
	}
	// Without the key, a pseudonym says nothing.
	elsewhere := t.TempDir()
	if err := os.MkdirAll(filepath.Join(elsewhere, "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "journal", "key"), bytes.Repeat([]byte{7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, pseudonym := range map[string]string{made.ID: id, "quibblethorpe": userName} {
		letters := pseudonym[strings.LastIndexByte(pseudonym, '-'):]
		if again := output(t, "support-bundle", "--pseudonym", name, elsewhere); strings.Contains(again, letters) {
			t.Errorf("under another key, the pseudonyms are\n%s", again)
		}
	}
}

// A token that may have been replaced gives what it gives without the account: neither log nor journal. Who is on the
// machine needs no token.
func TestSupportBundleOfABridgeThatIsNotConfirmed(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	first := serve(t, dir)
	create(t, first, pair, "ann@example.com")
	first.terminate()
	account.down()
	b := serve(t, dir)
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(pair.token.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}

	sealed := bundleOf(t, dir)
	if !strings.Contains(sealed["health.json"], `"state": "sealed"`) ||
		!strings.Contains(sealed["journal/events.jsonl"], "person_created") || sealed["scim-bridge.log"] == "" {
		t.Errorf("on the machine, while sealed: %s", sealed["health.json"])
	}
	names := func(files map[string]string) (all []string) {
		for name := range files {
			all = append(all, name)
		}
		slices.Sort(all)
		return all
	}
	got := bundleOf(t, "--url", b.url(""), "--token-file", tokenFile)
	if want := []string{"README.txt", "health.json", "metrics.txt", "versions.json"}; !slices.Equal(names(got), want) {
		t.Errorf("by an unconfirmed token: %q, want %q", names(got), want)
	}
	if !strings.Contains(got["README.txt"], "the account has not confirmed the token") {
		t.Errorf("the README does not say why:\n%s", got["README.txt"])
	}
	account.up(account.address())
	b.awaitState(control.Ready)
	if got := bundleOf(t, "--url", b.url(""), "--token-file", tokenFile); got["scim-bridge.log"] == "" {
		t.Errorf("by a confirmed token: %q", names(got))
	}
}

// What a server other than a bridge answers, or an older one, is told in a sentence, and leaves no file.
func TestSupportBundleThatCannotBeGot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	tokenFile := write("token", token.Reveal())
	server := func(answer http.HandlerFunc) string {
		s := httptest.NewServer(answer)
		t.Cleanup(s.Close)
		return s.URL
	}
	damaged := t.TempDir()
	if err := os.Mkdir(filepath.Join(damaged, "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "journal", "key"), make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	z := zip.NewWriter(&whole)
	if _, err := z.Create("README.txt"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "bundle.zip")
	remote := func(url string) []string { return []string{"-o", out, "--url", url, "--token-file", tokenFile} }
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"an older bridge", remote(server(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/app", http.StatusSeeOther)
		})), "older than support bundles"},
		{"a proxy that leads elsewhere", remote(server(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusMovedPermanently)
		})), "leads elsewhere"},
		{"a wrong token", remote(server(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "This token does not belong to the bridge's session.", http.StatusUnauthorized)
		})), "401 Unauthorized: This token does not belong"},
		{"another server", remote(server(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>"))
		})), "is not a bridge"},
		{"half a file", remote(server(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/zip")
			_, _ = w.Write(whole.Bytes()[:whole.Len()/2])
		})), "not a complete ZIP file"},
		{"an answer that breaks off", remote(server(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/zip")
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(whole.Bytes())
		})), "reading the support bundle"},
		{"a folder without a bridge", []string{"-o", out, t.TempDir()}, "neither a journal nor a log"},
		{"a URL without a token", []string{"--url", "http://127.0.0.1:1"}, "--url needs --token-file"},
		{"a token without a URL", []string{"--token-file", tokenFile}, "needs no token"},
		{
			"no key to pseudonyms", []string{"--pseudonym", "ann@example.com", t.TempDir()},
			"key to pseudonyms cannot be read",
		},
		{"a damaged key to pseudonyms", []string{"--pseudonym", "ann@example.com", damaged}, "holds no key"},
		{
			"a file that is there", []string{"-o", write("taken.zip", "mine"), dir},
			"is there already and was not replaced",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var errs bytes.Buffer
			args := append([]string{"support-bundle"}, row.args...)
			code := run(t.Context(), args, &console{Out: io.Discard, Err: &errs})
			if code == 0 || !strings.Contains(errs.String(), row.want) {
				t.Errorf("exit %d: %s, want %s", code, errs.String(), row.want)
			}
			if strings.Contains(errs.String(), token.Reveal()) {
				t.Error("the error has the token")
			}
		})
	}
	t.Cleanup(func() { // after all of them
		if found, _ := filepath.Glob(filepath.Join(dir, "*undle*")); len(found) != 0 {
			t.Errorf("left are %v", found)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "taken.zip")); err != nil || string(text) != "mine" {
			t.Errorf("the file that was there has %q, %v", text, err)
		}
	})
}

// A program that reads standard output, in a container without a volume for the file, gets the file alone.
func TestSupportBundleOnStandardOutput(t *testing.T) {
	t.Parallel()
	dir := folder(t, newAccount(t).activate().sealed)
	b := serve(t, dir)
	b.url("")
	if files := unzip(t, []byte(output(t, "support-bundle", "-o", "-", dir))); files["scim-bridge.log"] == "" {
		t.Errorf("the bundle has %d files", len(files))
	}
}

// The page gives a bundle to nobody who has not shown the token.
func TestSupportBundleNeedsTheToken(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	other, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url("/app/support-bundle"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if to := resp.Header.Get("Location"); to != "/app" {
		t.Errorf("without a cookie, a browser is led to %q", to)
	}
	for _, token := range []string{other.Reveal(), "nonsense", pair.token.Reveal() + "x"} {
		got := ask(t, http.MethodGet, b.url("/app/support-bundle"), token, "")
		if got.status != http.StatusUnauthorized {
			t.Errorf("another token got %d", got.status)
		}
	}
}
