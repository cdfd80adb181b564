package scim_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deadlines notes until when an answer may be written.
type deadlines struct {
	http.ResponseWriter
	write time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// The front door cuts a connection after a minute and a half. An account that
// writes 100,000 members, or a thousand operations, may need longer.
func TestLargeRequestsMayTakeLong(t *testing.T) {
	t.Parallel()
	members := make([]string, 40_000)
	for i := range members {
		members[i] = fmt.Sprintf(`{"value":"%026d"}`, i)
	}
	for _, row := range []struct {
		name, method, path, body string
		long                     bool
	}{
		{"a user", "POST", "/Users", `{"userName":"u"}`, false},
		{"a group", "POST", "/Groups", `{"displayName":"g"}`, false},
		{"a group of all", "POST", "/Groups",
			`{"displayName":"g","members":[` + strings.Join(members, ",") + `]}`, true},
		{"a bulk request", "POST", "/Bulk",
			`{"Operations":[{"method":"POST","path":"/Users","bulkId":"q","data":{"userName":"v"}}]}`, true},
	} {
		w := &deadlines{ResponseWriter: httptest.NewRecorder()}
		newHandler(newMemory(), nil).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), row.method, row.path,
			strings.NewReader(row.body)))
		if long := time.Until(w.write) > 4*time.Minute; long != row.long {
			t.Errorf("%s: the answer may be written until %s from now", row.name, time.Until(w.write))
		}
	}
}

// Most clients send the whole body before they read the answer.
func TestATooLargeBodyIsAnswered(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newHandler(newMemory(), nil))
	t.Cleanup(server.Close)
	const length = 12 << 20
	for _, row := range []struct {
		name, header string
	}{
		{"the length is announced", fmt.Sprintf("Content-Length: %d\r\n", length)},
		{"the body is in one chunk", "Transfer-Encoding: chunked\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			body := `{"userName":"` + strings.Repeat("x", length-15) + `"}`
			if strings.HasPrefix(row.header, "Transfer") {
				body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", length, body)
			}
			if _, err := io.WriteString(c, "POST /Users HTTP/1.1\r\nHost: bridge\r\n"+
				row.header+"\r\n"+body); err != nil {
				t.Fatalf("the connection was closed before everything was sent: %v", err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("got status %d, want 413", answer.StatusCode)
			}
		})
	}
}

// What could cost far more than its length to process is answered within a
// bound; without limits each of these takes minutes.
func TestHostileBodiesAreBounded(t *testing.T) {
	t.Parallel()
	repeat := func(n int, one func(int) string) string {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = one(i)
		}
		return strings.Join(texts, ",")
	}
	tests := []struct {
		name, method, path, body string
	}{
		{"schemas without end", "POST", "/Users", `{"userName":"x","schemas":[` + repeat(100_000, func(i int) string {
			return fmt.Sprintf(`"%x"`, i)
		}) + `]}`},
		{"addresses without end, added", "PATCH", "/Users/p1", `{"Operations":[{"op":"add","path":"emails","value":[` +
			repeat(50_000, func(i int) string {
				return fmt.Sprintf(`{"value":"%x"}`, i)
			}) + `]}]}`},
		{"elements made one by one", "PATCH", "/Users/p1", `{"Operations":[{"op":"add","value":{` + repeat(15_000,
			func(i int) string {
				return fmt.Sprintf(`"emails[value eq \"%x\"].type":"work"`, i)
			}) + `}}]}`},
		{"the same in a whole resource", "POST", "/Users", `{"userName":"v",` + repeat(15_000, func(i int) string {
			return fmt.Sprintf(`"emails[value eq \"%x\"].type":"work"`, i)
		}) + `}`},
		{"extensions as flat names", "POST", "/Users", `{"userName":"v","schemas":[` + repeat(90, func(i int) string {
			return fmt.Sprintf(`"urn:y:%d"`, i)
		}) + `],` + repeat(20_000, func(i int) string { return fmt.Sprintf(`"urn:x:%x:User.a":1`, i) }) + `}`},
		{"ampersands in a string without end", "GET", "/Users?filter=%22" + strings.Repeat("&", 20_000), ""},
		{"ampersands without end", "GET", "/Users?" + strings.Repeat("&filter=", 5_000), ""},
		{"unescaped backslashes without end", "GET",
			"/Users?filter=userName%20eq%20%22" + strings.Repeat("%5Cq", 5_000) +
				"%22", ""},
		{"single quotes without end", "GET",
			"/Users?filter=userName%20eq%20%27" + strings.Repeat("%27%27", 5_000) + "x", ""},
		{"members as keys among other keys", "PATCH", "/Groups/g2", `{"Operations":[{"op":"add","value":{` +
			repeat(10_000, func(i int) string {
				return fmt.Sprintf(`"members[value eq \"%x\"]":null,"k%x":1`, i, i)
			}) + `}}]}`},
		{"operations that wait for each other in a long row", "POST", "/Bulk", `{"Operations":[` +
			repeat(1000, func(i int) string {
				return fmt.Sprintf(
					`{"method":"POST","path":"/Groups","bulkId":"%d","data":{"displayName":"g%d",`+
						`"members":["bulkId:%d"],"x":%q}}`, i,
					i, i+1, strings.Repeat("x", 500))
			}) + `]}`},
		{"attributes to show without end", "POST", "/.search", `{"attributes":[` + repeat(100_000, func(i int) string {
			return fmt.Sprintf(`"a%x"`, i)
		}) + `]}`},
		{"a number with a great exponent", "GET", `/Users?filter=n%20gt%201e999999999`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, newMemory(), nil)
			create(t, server, "/Users", `{"userName":"u","n":1}`)
			create(t, server, "/Groups", `{"displayName":"g"}`)
			start := time.Now()
			a := ask(t, server, tt.method, tt.path, tt.body)
			if took := time.Since(start); took > time.Minute || a.status >= http.StatusInternalServerError {
				t.Errorf("answered %d after %v", a.status, took)
			}
			t.Logf("%d after %v", a.status, time.Since(start))
		})
	}
}
