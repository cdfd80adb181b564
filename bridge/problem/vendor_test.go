package problem_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// An earlier row must not take the lines of a later one.
func TestEveryVendorLineIsFoundByItsOwnRow(t *testing.T) {
	t.Parallel()
	lines := problem.VendorLines()
	if len(lines) < 15 {
		t.Fatalf("only %d rows", len(lines))
	}
	for i, l := range lines {
		t.Run(fmt.Sprint(i, " ", l.Title), func(t *testing.T) {
			t.Parallel()
			d, err := problem.Diagnose(strings.NewReader(l.Example + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			found := d.Problems
			if l.Harmless {
				found = d.Harmless
			}
			if len(found) != 1 || len(d.Problems)+len(d.Harmless) != 1 {
				t.Fatalf("found %+v", d)
			}
			p := found[0]
			if p.Code != l.Code || p.Title != l.Title || p.Remedy != l.Remedy ||
				p.Details[problem.DetailSource] != l.Source {
				t.Errorf("found %+v, want %+v", p, l)
			}
			if !strings.HasPrefix(l.Source, "https://") {
				t.Errorf("the source is %q", l.Source)
			}
		})
	}
}

// quotedLines are the lines that were read at their sources, word for word; who marks
// another row as quoted adds it here.
var quotedLines = map[string]string{
	"blocked by an account firewall rule":   "https://support.1password.com/scim-troubleshooting/",
	"AuthWrap failed to generateNewSession": "https://support.1password.com/scim-troubleshooting/",
	"(403) Forbidden (Firewall Rule)":       "https://github.com/1Password/onepassword-sdk-python/issues/214",
	"(failed to unverifiedTokenFromRequest), 401": "https://github.com/1Password/terraform-provider-onepassword/" +
		"issues/24",
	"(failed to NewRedisConnPool)":          "https://github.com/1Password/op-scim-gcp-marketplace/issues/93",
	"failed to generate TLS config":         "https://github.com/1Password/scim-examples/issues/229",
	"timed out waiting to load certificate": "https://github.com/1Password/op-scim-gcp-marketplace/issues/95",
	"http: TLS handshake error from":        "https://github.com/1Password/scim-examples/issues/129",
}

// A line that was never published must not be searched for word by word.
func TestOnlyLinesThatWerePublishedAreMarkedAsQuoted(t *testing.T) {
	t.Parallel()
	found := 0
	for _, l := range problem.VendorLines() {
		published := false
		for words, source := range quotedLines {
			published = published || strings.Contains(l.Example, words) && l.Source == source
		}
		if ours := strings.HasPrefix(l.Example, problem.LogSignInFailed+":"); ours {
			published = false // the reason behind it is worded here
		}
		if l.Quoted != published {
			t.Errorf("%q is marked as quoted: %t; published at %s: %t", l.Example, l.Quoted, l.Source, published)
		}
		if l.Quoted {
			found++
		}
	}
	if found != len(quotedLines) {
		t.Errorf("%d rows are quoted, of %d that were read", found, len(quotedLines))
	}
}

// The vendor's account has no Terraform resources: an operator of its bridge is
// told what its own pages say.
func TestTheVendorsRemediesNeedNothingOfOurs(t *testing.T) {
	t.Parallel()
	for _, l := range problem.VendorLines() {
		for _, ours := range []string{"terraform", "bearer_token_wo", "scimbridge", "scim-bridge"} {
			if text := l.Title + l.Cause + l.Remedy; strings.Contains(strings.ToLower(text), ours) {
				t.Errorf("%s speaks of %s: %s", l.Title, ours, text)
			}
		}
	}
}

// Lines as they were published, and lines of the same kinds.
func TestVendorLinesInTheWild(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, line string
		problem    problem.Code
		harmless   problem.Code
	}{
		{"Redis, console", `FTL failed to set up redis for SCIM bridge error="Network: (failed to NewRedisConnPool), ` +
			`cannot initialize connection: cannot connect to redis: dial tcp 10.0.0.9:6379: connect: ` +
			`connection refused" application=op-scim build=209061 function=InitCache hostname=op-scim-bridge-1-1234 ` +
			`instance_id=abcd version=2.9.6`, problem.VendorCache, ""},
		{"Redis, JSON", `{"level":"fatal",` +
			`"error":"Network: (failed to NewRedisConnPool), cannot initialize connection: ` +
			`cannot connect to redis: dial tcp: lookup redis: no such ` +
			`host","application":"op-scim","function":"InitCache","time":"2025-10-04T07:08:09Z",` +
			`"message":"failed to set up ` +
			`redis for SCIM bridge"}`, problem.VendorCache, ""},
		{"Redis with a wrong password", `ERR failed to ping redis error="WRONGPASS invalid username-password pair or ` +
			`user is disabled." application=op-scim`, problem.VendorCache, ""},
		{"a certificate, no answer", `2:01PM ERR certificate manager error while getting certificate error="timed ` +
			`out waiting to load certificate for scim.example.com" application=op-scim build=209131 ` +
			`component=CertificateManager domain=scim.example.com`, problem.VendorCertificate, ""},
		{"a certificate, the client went away", `2:02PM ERR certificate manager error while getting certificate ` +
			`error="context canceled" application=op-scim component=CertificateManager`, problem.VendorCertificate, ""},
		{"a certificate, JSON",
			`{"level":"error","component":"CertificateManager","error":"timed out waiting to load ` +
				`certificate for scim.example.com","time":"2025-10-21T14:01:00Z",` +
				`"message":"certificate manager error while ` +
				`getting certificate"}`, problem.VendorCertificate, ""},
		{"certificate files", `FTL failed to generate TLS config, ` +
			`retrying after backoff delay error="could not find key file with given path /secrets/tls-key" ` +
			`application=op-scim`, problem.VendorCertificate, ""},
		{"the firewall, short", `[ERROR] 2026/02/20 10:52:58 (403) Forbidden (Firewall Rule): ` +
			`The IP address of your SCIM bridge was blocked by a 1Password firewall rule.`,
			problem.FirewallBlocked, ""},
		{"the firewall, inside another error", `ERR failed to confirm users error="Request: (failed to Do), ` +
			`(403) Forbidden (Firewall Rule)" application=op-scim component=ConfirmationWatcher`,
			problem.FirewallBlocked, ""},
		{"a wrong token", `WRN request failed error="401: Invalid bearer token" application=op-scim path=/scim/Users`,
			problem.TokenRejected, ""},
		{"a wrong token, JSON", `{"level":"warn","status":401,"error":"invalid bearer token","message":"unauthorized"}`,
			problem.TokenRejected, ""},
		{"a locked bridge", `INF waiting for a valid bearer token application=op-scim`, problem.Sealed, ""},
		{"a locked bridge, JSON", `{"level":"info","message":"Waiting for bearer token"}`, problem.Sealed, ""},
		{"a healthy report", `Nov 10 07:35:42 host op-scim[29878]: [LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) ` +
			`[2020-11-10T07:35:42Z] RedisCache: healthy`, "", ""},
		{"an unhealthy report", `Nov 10 07:35:42 host op-scim[29878]: [LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) ` +
			`[2020-11-10T07:35:42Z] RedisCache: unhealthy`, problem.VendorCache, ""},
		{"an unhealthy watcher", `[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-10T07:35:42Z] ` +
			`ConfirmationWatcher: unhealthy`, problem.ConfirmationStuck, ""},
		{"an unhealthy server", `[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-10T07:35:42Z] SCIMServer: unhealthy`,
			problem.VendorComponent, ""},
		{"an unhealthy report, JSON", `{"level":"info","component":"SCIMServer","state":"unhealthy",` +
			`"message":"report"}`,
			problem.VendorComponent, ""},
		{"a document of /health",
			`{"build":"209131","version":"2.9.13","reports":[{"source":"ConfirmationWatcher",` +
				`"time":"2026-03-03T14:06:09Z",` +
				`"state":"unhealthy"},{"source":"SCIMServer","state":"healthy"}],"retrievedAt":"2026-03-03T14:06:56Z"}`,
			problem.ConfirmationStuck, ""},
		{"a report that is not there yet", `[LOG] [1.6.0] 2020/11/10 07:35:42 (INFO) [2020-11-09T05:35:42Z] ` +
			`ProvisionWatcher: unknown`, "", problem.VendorComponent},
		{"a health check of a load balancer", `2020/12/31 11:00:52 http: TLS handshake error from 10.244.2.1:9467: ` +
			`EOF`, "",
			problem.VendorProbe},
		{"a scanner", `2020/12/31 11:00:52 http: TLS handshake error from 192.0.2.7:9467: tls: ` +
			`first record does not look like a TLS handshake`, "", problem.VendorProbe},
		{"a scanner by address", `2020/12/31 11:00:52 http: TLS handshake error from [2001:db8::7]:9467: ` +
			`acme/autocert: missing server name`, "", problem.VendorProbe},
		{"a client that trusts us not, which is no probe", `2020/12/31 11:00:52 http: ` +
			`TLS handshake error from 192.0.2.7:9467: remote error: tls: unknown certificate authority`, "", ""},
		{"a ping", `[LOG] [1.6.0] 2020/11/10 07:35:46 (INFO) Handling GET: /ping`, "", ""},
		{"a person of a telling name", `INF provisioned user application=op-scim name="Ann Redis"`, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d, err := problem.Diagnose(strings.NewReader(row.line))
			if err != nil {
				t.Fatal(err)
			}
			if got := codes(d.Problems); got != string(row.problem) {
				t.Errorf("the problems are %q, want %q", got, row.problem)
			}
			if got := codes(d.Harmless); got != string(row.harmless) {
				t.Errorf("harmless are %q, want %q", got, row.harmless)
			}
		})
	}
}

func codes(problems []problem.Problem) string {
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = string(p.Code)
	}
	return strings.Join(texts, " ")
}

func TestASlowlyStartingComponentIsNoProblem(t *testing.T) {
	t.Parallel()
	d, err := problem.Diagnose(strings.NewReader("ProvisionWatcher: unknown\nRedisCache: unknown\n" +
		"ProvisionWatcher: healthy\n"))
	if err != nil || len(d.Problems) != 0 || len(d.Harmless) != 1 ||
		d.Harmless[0].Details["component"] != "RedisCache" {
		t.Errorf("found %+v, %v", d, err)
	}
}

// What wrote the line is seen through whatever wrapped it.
func TestALineIsFoundInEveryWrapping(t *testing.T) {
	t.Parallel()
	vendor := `FTL failed to set up redis for SCIM bridge error="cannot connect to redis: dial tcp: ` +
		`connection refused" application=op-scim`
	vendorJSON := `{"level":"fatal","time":"2025-10-04T07:08:09Z","message":"failed to set up redis for SCIM bridge"}`
	ours := `2025-10-04T07:08:09.000Z [ERROR] scim-bridge.connector: ` +
		`Your current location or network is blocked by an account firewall rule: ` +
		`problem=firewall_blocked address=192.0.2.7 attempts=1`
	oursJSON := `{"level":"error","time":"2025-10-04T07:08:09Z","logger":"scim-bridge.connector","message":"x",` +
		`"problem":"firewall_blocked","address":"192.0.2.7"}`
	quoted := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	bytesOf := func(s string) string {
		numbers := make([]string, len(s))
		for i := range len(s) {
			numbers[i] = fmt.Sprint(s[i])
		}
		return "[" + strings.Join(numbers, ",") + "]"
	}
	when := time.Date(2025, 10, 4, 7, 8, 9, 0, time.UTC)
	for _, wrapping := range []struct {
		name string
		wrap func(string) string
		time bool // whether the wrapping knows the time
	}{
		{"nothing", func(s string) string { return s }, false},
		{"the colours of a terminal", func(s string) string { return "\x1b[90m" + s + "\x1b[0m" }, false},
		{"Docker's json-file", func(s string) string {
			return `{"log":` + quoted(s+"\n") + `,"stream":"stderr","time":"2025-10-04T07:08:09.000000001Z"}`
		}, true},
		{"Docker's stream", func(s string) string { return "\x01\x00\x00\x00\x00\x00\x00\x2a" + s }, false},
		{"docker compose logs", func(s string) string { return "scim-1   | " + s }, false},
		{"docker service logs", func(s string) string {
			return "op-scim-bridge_scim.1.abc123@host-1    | " + s
		}, false},
		{"a container runtime on a node", func(s string) string {
			return "2025-10-04T07:08:09.123456789Z stderr F " + s
		}, true},
		{"kubectl logs --prefix", func(s string) string {
			return "[pod/op-scim-bridge-1-1234/op-scim-bridge] " + s
		}, false},
		{"kubectl logs --timestamps, behind a prefix", func(s string) string {
			return "[pod/op-scim-bridge-1-1234/op-scim-bridge] 2025-10-04T07:08:09.123456789Z stdout F " + s
		}, true},
		{"journalctl", func(s string) string { return "Oct 04 07:08:09 host-1 op-scim[29878]: " + s }, false},
		{"journalctl -o short-iso", func(s string) string {
			return "2025-10-04T07:08:09+0000 host-1 scim-bridge[29878]: " + s
		}, true},
		{"journalctl -o json", func(s string) string {
			return `{"__REALTIME_TIMESTAMP":"1759561689000000","SYSLOG_IDENTIFIER":"op-scim","MESSAGE":` +
				quoted(s) + `}`
		}, true},
		{"journalctl -o json, of bytes", func(s string) string {
			return `{"__REALTIME_TIMESTAMP":"1759561689000000","MESSAGE":` + bytesOf("\x1b[31m"+s) + `}`
		}, true},
		{"RFC 5424", func(s string) string { return "<14>1 2025-10-04T07:08:09Z host-1 op-scim 29878 - - " + s }, true},
		{"CloudWatch's events", func(s string) string {
			return `{"timestamp":1759561689000,"log":` + quoted(s) + `}`
		}, true},
		{"Google's textPayload", func(s string) string {
			return `{"textPayload":` + quoted(s) + `,"timestamp":"2025-10-04T07:08:09Z"}`
		}, true},
		{"Azure's console logs", func(s string) string {
			return `{"TimeGenerated":"2025-10-04T07:08:09Z","Log":` + quoted(s) + `}`
		}, true},
		{"two of them", func(s string) string {
			return `{"log":` + quoted("[pod/a/b] "+s) + `,"time":"2025-10-04T07:08:09Z"}`
		}, true},
		{"the ends of lines that Windows writes", func(s string) string { return s + "\r" }, false},
	} {
		for _, row := range []struct {
			name, line string
			time       bool
			code       problem.Code
		}{
			{"the vendor's text", vendor, false, problem.VendorCache},
			{"the vendor's JSON", vendorJSON, true, problem.VendorCache},
			{"our text", ours, true, problem.FirewallBlocked},
			{"our JSON", oursJSON, true, problem.FirewallBlocked},
		} {
			t.Run(wrapping.name+" around "+row.name, func(t *testing.T) {
				t.Parallel()
				d, err := problem.Diagnose(strings.NewReader(wrapping.wrap(row.line) + "\n"))
				if err != nil || codes(d.Problems) != string(row.code) {
					t.Fatalf("found %+v, %v", d, err)
				}
				p := d.Problems[0]
				known := row.time || wrapping.time
				if known != (!p.Since.IsZero()) || known && p.Since.Truncate(time.Second) != when {
					t.Errorf("the time is %s", p.Since)
				}
				isOurs := strings.Contains(row.line, "scim-bridge.")
				if isOurs && (p.Details["address"] != "192.0.2.7" || p.Terraform == "") ||
					!isOurs && p.Terraform != "" {
					t.Errorf("the details are %v, the block is %q", p.Details, p.Terraform)
				}
			})
		}
	}
	for name, line := range map[string]string{
		"Google's jsonPayload":        `{"timestamp":"2025-10-04T07:08:09Z","jsonPayload":` + vendorJSON + `}`,
		"a stream's name before JSON": `2025-10-04T07:08:09+00:00 op_scim_bridge/scim/0123 ` + vendorJSON,
		"an exporter's message":       `{"timestamp":1759561689000,"message":` + quoted(vendorJSON) + `}`,
		"an exporter's message of old text": `{"timestamp":1759561689000,` +
			`"message":"[LOG] [1.6.0] RedisCache: unhealthy"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d, err := problem.Diagnose(strings.NewReader(line)); err != nil ||
				codes(d.Problems) != string(problem.VendorCache) || d.Problems[0].Since.IsZero() {
				t.Errorf("found %+v, %v", d, err)
			}
		})
	}
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestALogIsReadAsItIsKept(t *testing.T) {
	t.Parallel()
	line := problem.LogFirewallBlocked + "\n"
	wide := func(order func([]byte, uint16) []byte, mark string) []byte {
		b := []byte(mark)
		for _, unit := range utf16.Encode([]rune("Grüße\r\n" + line)) {
			b = order(b, unit)
		}
		return b
	}
	little := func(b []byte, u uint16) []byte { return append(b, byte(u), byte(u>>8)) }
	big := func(b []byte, u uint16) []byte { return append(b, byte(u>>8), byte(u)) }
	for name, log := range map[string][]byte{
		"gzip":                          pack(t, line),
		"gzip, several files in one":    append(pack(t, "all is well\n"), pack(t, line)...),
		"UTF-8 with a byte-order mark":  []byte("\xef\xbb\xbf" + line),
		"UTF-16, as PowerShell writes":  wide(little, "\xff\xfe"),
		"UTF-16, big end first":         wide(big, "\xfe\xff"),
		"gzip of UTF-16":                pack(t, string(wide(little, "\xff\xfe"))),
		"Latin-1, which is no UTF-8":    []byte("Gr\xfc\xdfe\n" + line),
		"a line of 100 MB before it":    append(bytes.Repeat([]byte("x"), 100<<20), []byte("\n"+line)...),
		"100 MB of zeros in few bytes":  pack(t, string(make([]byte, 100<<20))+"\n"+line),
		"lines that end without a feed": []byte("all is well\r\n" + strings.TrimSpace(line)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := problem.Diagnose(bytes.NewReader(log))
			if err != nil || codes(d.Problems) != string(problem.FirewallBlocked) {
				t.Errorf("found %+v, %v", d, err)
			}
		})
	}
}

func TestAPackedLogThatIsNotReadSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ log, want string }{
		"zstd":        {"\x28\xb5\x2f\xfd rest", "zstd -dc FILE | scim-bridge diagnose"},
		"xz":          {"\xfd7zXZ\x00 rest", "xz -dc FILE | scim-bridge diagnose"},
		"zip":         {"PK\x03\x04 rest", "unzip -p FILE | scim-bridge diagnose"},
		"gzip, twice": {string(pack(t, string(pack(t, "x")))), "gzip -dc FILE | scim-bridge diagnose"},
		"damaged":     {"\x1f\x8b\xff no gzip", "unpacking the log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := problem.Diagnose(strings.NewReader(row.log)); err == nil ||
				!strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// A log that is cut short tells what it has, and that it is cut short.
func TestATruncatedLogIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	noise := make([]string, 20_000)
	for i := range noise {
		noise[i] = fmt.Sprint("line ", i*i*7919%1_000_003)
	}
	whole := pack(t, problem.LogFirewallBlocked+"\n"+strings.Join(noise, "\n"))
	d, err := problem.Diagnose(bytes.NewReader(whole[:len(whole)/2]))
	if !errors.Is(err, io.ErrUnexpectedEOF) || codes(d.Problems) != string(problem.FirewallBlocked) {
		t.Errorf("found %+v, %v", d, err)
	}
}

// Names that a stranger chose end up in logs: they neither fill the memory nor
// reach the terminal as they are.
func TestWhatStrangersWriteIntoALogIsBounded(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&log, "2025-10-04T07:08:09.000Z [WARN]  scim-bridge: x: problem=signup_domain_missing "+
			"domain=d%d.example.com\n", i)
	}
	fmt.Fprintf(&log, "%s\n", problem.LogFirewallBlocked)
	d, err := problem.Diagnose(strings.NewReader(log.String()))
	if err != nil || len(d.Problems) > 102 || d.Problems[len(d.Problems)-1].Code != problem.FirewallBlocked {
		t.Errorf("%d problems are kept apart, %v", len(d.Problems), err)
	}
	if more := d.Problems[len(d.Problems)-2]; more.Details["count"] != "4900" || more.Details["domain"] != "" {
		t.Errorf("the rest is %+v", more)
	}
	d, err = problem.Diagnose(strings.NewReader(`{"problem":"signup_domain_missing",` +
		`"user_name":"a\u001b[31mb\u202ec\nd` +
		strings.Repeat("x", 10_000) + `"}`))
	if err != nil || len(d.Problems) != 1 || !strings.Contains(d.Problems[0].Cause, "a[31mbc dx") ||
		len(d.Problems[0].Cause) > 600 {
		t.Errorf("found %+v, %v", d, err)
	}
}
