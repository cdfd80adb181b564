package httpkit_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

func TestALineAMinuteTellsOfEveryEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log lockedLog
		events := httpkit.NewEventLog(hclog.New(&hclog.LoggerOptions{Output: &log}))
		add := func(kind, client string) {
			events.Add(httpkit.Event{Kind: kind, Level: hclog.Warn, Message: "refused",
				Client: netip.MustParseAddr(client),
				Fields: []any{"for", kind}})
		}
		lines := func() []string {
			text := strings.TrimSpace(log.String())
			log.Reset()
			if text == "" {
				return nil
			}
			return strings.Split(text, "\n")
		}
		add("a", "192.0.2.1")
		add("b", "192.0.2.1")
		got := lines()
		if len(got) != 2 || !strings.HasSuffix(got[0], `refused: kind=a count=1 for=a networks="192.0.2.1 (1)"`) {
			t.Errorf("the first of each kind: %q", got)
		}
		for i := range 1000 {
			add("a", fmt.Sprintf("2001:db8::%x", i))
			add("a", "192.0.2.1")
		}
		add("a", "192.0.2.2")
		if got := lines(); len(got) != 0 {
			t.Errorf("within the minute: %q", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := lines(); len(got) != 1 ||
			!strings.HasSuffix(got[0], `count=2001 for=a networks="192.0.2.1 (1000), 2001:db8::/64 (1000), `+
				`192.0.2.2 (1)"`) {
			t.Errorf("after the minute, with nothing that follows: %q", got)
		}
		add("a", "192.0.2.3")
		if got := lines(); len(got) != 0 {
			t.Errorf("within the next minute: %q", got)
		}
		events.Flush()
		if got := lines(); len(got) != 1 || !strings.Contains(got[0], "count=1 ") {
			t.Errorf("at the end: %q", got)
		}
		time.Sleep(time.Hour)
		add("a", "192.0.2.3")
		if got := lines(); len(got) != 1 {
			t.Errorf("after a long time it is logged at once again: %q", got)
		}
	})
}

func TestFewNetworksAreNamedOfMany(t *testing.T) {
	t.Parallel()
	var c httpkit.NetworkCount
	for i := range 100_000 {
		c.Add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	for range 5 {
		c.Add(netip.MustParseAddr("10.0.0.7"))
	}
	got := c.String()
	if !strings.HasPrefix(got, "10.0.0.7 (6), ") || !strings.HasSuffix(got, "others (99995)") || len(got) > 200 {
		t.Errorf("got %s", got)
	}
}

// What net/http complains of may quote a client at length.
func TestTheServersOwnLogIsBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	server := httpkit.NewEventLog(hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})).ServerLog()
	for range 1000 {
		server.Printf("http: bad request \x1b[2J%s", strings.Repeat("x", 60_000))
	}
	if log.Len() > 1000 || strings.Contains(log.String(), "\x1b") ||
		!strings.Contains(log.String(), "http: bad request") {
		t.Errorf("%d bytes: %.500q", log.Len(), log.String())
	}
}
