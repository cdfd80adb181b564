package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// Bounds on what one hostile client may make a bridge do.
const (
	hostileTimeout = 4 * time.Minute // what hangs is found, what is slow is not
	// Bytes, of the whole process at its largest: what a container of the smallest size has.
	hostileMemory = 640 << 20
	hostileAtOnce = 16
)

// Whatever arrives is answered within a bound with the right SCIM error, the
// bridge does not grow, and the next request is served as if nothing had been.
func TestHostileInputAtARealBridge(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	// As the smallest deployment runs it: the race detector, which these tests have, multiplies the memory.
	program := filepath.Join(t.TempDir(), "scim-bridge")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir := folder(t, pair.sealed)
	b := start(t, dir, exec.CommandContext(context.WithoutCancel(t.Context()), program,
		serveArgs(dir, []string{"--log-level", "error"})...), "GOMEMLIMIT=512MiB")
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	base := b.url("/scim/v2")
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(ask(t, "POST", base+"/Users", pair.token.Reveal(),
		person("victim@example.com")).body),
		&made); err != nil {
		t.Fatal(err)
	}
	one := "/Users/" + made.ID

	const mebibyte = 1 << 20
	deep := func(opening, closing string) string {
		return strings.Repeat(opening, 10_000) + "1" + strings.Repeat(closing, 10_000)
	}
	filter := func(text string) string { return "/Users?filter=" + url.QueryEscape(text) }
	inBody := func(text string) string {
		raw, err := json.Marshal(map[string]string{"filter": text})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	patch := func(operations string) string { return `{"Operations":[` + operations + `]}` }
	tests := []struct {
		name, method, path, body string
		status                   int
		kind                     string
	}{
		{"two texts for a userName", "POST", "/Users", `{"userName":["n","m"]}`, 400, "invalidValue"},
		{"an object for a userName", "POST", "/Users", `{"userName":{"a":1}}`, 400, "invalidValue"},
		{"a boolean for a name", "POST", "/Users", `{"userName":"n","name":true}`, 400, "invalidValue"},
		{"a text that is no boolean for active", "POST", "/Users", `{"userName":"n","active":"perhaps"}`, 400,
			"invalidValue"},
		{"a number that is no boolean for active", "PATCH", one,
			patch(`{"op":"replace","path":"active","value":2}`), 400,
			"invalidValue"},
		{"null for a userName", "POST", "/Users", `{"userName":null,"name":null,"emails":null,"active":null,` +
			`"schemas":null}`,
			400, "invalidValue"},
		{"nulls everywhere but in the userName", "PUT", one,
			`{"userName":"victim@example.com","name":{"givenName":null},"emails":[null,{"value":null}],"active":null,` +
				`"schemas":null,"meta":null,"id":null,"x":null}`, 200, ""},
		{"null for operations", "PATCH", one, `{"Operations":null}`, 400, "invalidSyntax"},
		{"a null among operations", "PATCH", one, patch(`null`), 400, "invalidSyntax"},
		{"nulls in an operation", "PATCH", one, patch(`{"op":null,"path":null,"value":null}`), 400, "invalidSyntax"},
		{"null for bulk operations", "POST", "/Bulk", `{"Operations":null}`, 400, "invalidSyntax"},
		{"numbers as strings where texts are wanted", "POST", "/.search", `{"count":"many"}`, 400, "invalidValue"},
		{"a count beyond all numbers", "GET",
			"/Users?count=99999999999999999999999&startIndex=-99999999999999999999999", "",
			200, ""},
		{"ten megabytes of one text", "POST", "/Users",
			`{"userName":"` + strings.Repeat("x", 10*mebibyte) + `"}`, 413, ""},
		{"ten megabytes of blanks", "POST", "/Users", strings.Repeat(" ", 10*mebibyte), 413, ""},
		{"ten megabytes of brackets for bulk", "POST", "/Bulk",
			strings.Repeat("[", 10*mebibyte-1), 400, "invalidSyntax"},
		{"ten megabytes of empty objects for bulk", "POST", "/Bulk",
			`{"Operations":[` + strings.Repeat("{},", 3*mebibyte) +
				`{}]}`, 413, ""},
		{"ten megabytes of small members for a group", "POST", "/Groups",
			`{"displayName":"g","members":[` + strings.Repeat(`"",`, 3*mebibyte) + `""]}`, 413, ""},
		{"a hundred megabytes for bulk", "POST", "/Bulk", strings.Repeat(" ", 100*mebibyte), 413, ""},
		{"objects nested ten thousand deep", "POST", "/Users", deep(`{"a":`, "}"), 400, "invalidSyntax"},
		{"lists nested ten thousand deep", "POST", "/Users", `{"userName":"n","x":` + deep("[", "]") + "}", 400,
			"invalidSyntax"},
		{"brackets that never close", "PATCH", one, strings.Repeat(`{"Operations":[`, 10_000), 400, "invalidSyntax"},
		{"a filter nested ten thousand deep", "POST", "/.search",
			inBody(strings.Repeat("(", 10_000) + "a pr" + strings.Repeat(")", 10_000)), 400, "invalidFilter"},
		{"not not not", "POST", "/Users/.search",
			inBody(strings.Repeat("not (", 5_000) + "a pr" + strings.Repeat(")", 5_000)), 400, "invalidFilter"},
		{"a hundred thousand operations in one PATCH", "PATCH", one,
			patch(strings.Repeat(`{"op":"remove"},`, 60_000) + `{}`),
			413, ""},
		{"as many as fit into a body", "PATCH", one,
			patch(strings.Repeat(`{"op":"add","path":"x","value":1},`, 25_000) + `{}`), 413, ""},
		{"a hundred thousand bulk operations", "POST", "/Bulk",
			patch(strings.Repeat(`{"method":"DELETE","path":"/Users/none"},`, 100_000) + `{}`), 413, ""},
		{"a NUL in a text", "POST", "/Users", `{"userName":"a\u0000b"}`, 400, "invalidValue"},
		{"a NUL in a name", "PATCH", one, patch(`{"op":"add","value":{"a\u0000":1}}`), 400, "invalidValue"},
		{"a NUL byte", "POST", "/Users", "{\"userName\":\"a\x00b\"}", 400, "invalidSyntax"},
		{"a NUL in a path", "GET", "/Users/a%00b", "", 400, "invalidValue"},
		{"a NUL in a filter", "GET", filter("userName eq \"a\x00\""), "", 400, "invalidFilter"},
		{"invalid UTF-8 in a body", "POST", "/Users", "{\"userName\":\"\xc3\x28\"}", 400, "invalidSyntax"},
		{"invalid UTF-8 in a filter", "GET", "/Users?filter=userName%20eq%20%22%c3%28%22", "", 400, "invalidFilter"},
		{"half a surrogate pair", "POST", "/Users", `{"userName":["n","m"],"nickName":"\ud800"}`, 400, "invalidValue"},
		{"a filter of a megabyte, in a URL", "GET",
			filter("userName eq \"" + strings.Repeat("x", mebibyte) + "\""), "", 431,
			""},
		{"a filter of almost a megabyte, in a body", "POST", "/.search",
			inBody("userName eq \"" + strings.Repeat("x", mebibyte-100) + "\""), 400, "invalidFilter"},
		{"a filter of many comparisons", "POST", "/Users/.search",
			inBody(strings.Repeat("a pr or ", 3_000) + "a pr"), 400,
			"invalidFilter"},
		{"a filter of more", "POST", "/Users/.search", inBody(strings.Repeat("a pr or ", 100_000) + "a pr"), 400,
			"invalidFilter"},
		{"a sort by something long", "POST", "/Users/.search",
			`{"sortBy":"` + strings.Repeat("x", 100_000) + `"}`, 200, ""},
		{"attributes without end", "POST", "/.search",
			`{"attributes":["` + strings.Repeat(`a","`, 50_000) + `a"]}`, 400,
			"invalidValue"},
		{"a made-up cursor", "GET", "/Users?cursor=" + strings.Repeat("A", 10_000), "", 400,
			"invalidCursor"},
		{"two objects", "POST", "/Users", `{"userName":"n"}{"userName":"m"}`, 400, "invalidSyntax"},
		{"a name given twice in two spellings", "POST", "/Users",
			`{"userName":"n","USERNAME":"m"}`, 400, "invalidValue"},
	}
	slots := make(chan struct{}, hostileAtOnce)
	var all sync.WaitGroup
	for range 2 { // many at once, and each more than once
		for _, tt := range tests {
			all.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				start := time.Now()
				got, err := hurl(t.Context(), tt.method, base+tt.path, pair.token.Reveal(), tt.body)
				// Large requests wait for each other, for so long; a slow machine needs longer for them all.
				for err == nil && got.status == 503 && got.header.Get("Retry-After") != "" &&
					time.Since(start) < hostileTimeout {
					got, err = hurl(t.Context(), tt.method, base+tt.path, pair.token.Reveal(), tt.body)
				}
				took := time.Since(start)
				if err != nil {
					t.Errorf("%s: not answered: %v", tt.name, err)
					return
				}
				if took > hostileTimeout {
					t.Errorf("%s: answered after %s", tt.name, took)
				}
				var refusal struct {
					Schemas []string `json:"schemas"`
					Kind    string   `json:"scimType"`
					Status  string   `json:"status"`
					Detail  string   `json:"detail"`
				}
				_ = json.Unmarshal([]byte(got.body), &refusal)
				if got.status != tt.status || refusal.Kind != tt.kind {
					t.Errorf("%s: got %d %q, want %d %q: %.300s", tt.name, got.status, refusal.Kind,
						tt.status, tt.kind, got.body)
					return
				}
				if got.status >= 400 && got.status != http.StatusRequestHeaderFieldsTooLarge && // which no handler sees
					(refusal.Status != strconv.Itoa(got.status) || len(refusal.Schemas) != 1 || refusal.Detail == "" ||
						len(refusal.Detail) > 1000) {
					t.Errorf("%s: not a SCIM error: %.300s", tt.name, got.body)
				}
			})
		}
	}
	all.Wait()
	if got := ask(t, "GET", base+one, pair.token.Reveal(), ""); got.status != 200 ||
		!strings.Contains(got.body, "victim@example.com") {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
	peak, err := peakMemory(b.cmd.Process.Pid)
	if err != nil {
		t.Skipf("this system does not tell the memory of a process: %v", err)
	}
	t.Logf("the bridge's memory was at most %d MiB", peak>>20)
	if peak > hostileMemory {
		t.Errorf("the bridge's memory was %d MiB at its peak, want at most %d", peak>>20, hostileMemory>>20)
	}
}

// hurl sends a body that the other side may refuse before it read it all.
func hurl(ctx context.Context, method, url, token, body string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	return reply{resp.StatusCode, resp.Header, text.String()}, err
}

var highWater = regexp.MustCompile(`VmHWM:\s*(\d+) kB`)

// peakMemory is the most that a process ever held, as Linux counts it.
func peakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("no VmHWM in /proc/%d/status", pid)
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	return kilobytes << 10, err
}
