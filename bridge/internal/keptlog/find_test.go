package keptlog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
)

func TestFind(t *testing.T) {
	t.Parallel()
	log := keptlog.Open(keptlog.Config{Buffer: 1 << 16})
	sink := log.Sink(hclog.Debug)
	sink.Accept("scim-bridge", hclog.Debug, "asked the account")
	sink.Accept("scim-bridge.http", hclog.Info, "request", "request_id", "R1", "resource_id", "ANN")
	sink.Accept("scim-bridge.http", hclog.Info, "request", "request_id", "R2", "resource_id", "BOB")
	sink.Accept("scim-bridge", hclog.Warn, "a Wrong token")
	sink.Accept("scim-bridge", hclog.Error, "failed", "error", "first\nsecond")
	for _, row := range []struct {
		name  string
		query keptlog.Query
		want  string // the lines' last words
	}{
		{"all lines, newest first", keptlog.Query{}, "second,token,BOB,ANN,account"},
		{"a level and those above", keptlog.Query{Level: hclog.Warn}, "second,token"},
		{"a text without regard to case", keptlog.Query{All: []string{"WRONG"}}, "token"},
		{"all of several texts", keptlog.Query{All: []string{"request", "r2"}}, "BOB"},
		{"one of several texts", keptlog.Query{Any: []string{"ANN", "BOB"}}, "BOB,ANN"},
		{"both conditions", keptlog.Query{All: []string{"R1"}, Any: []string{"ANN", "BOB"}}, "ANN"},
		{"a line that continues another", keptlog.Query{All: []string{"second"}}, "second"},
		{"what no line has", keptlog.Query{All: []string{"nothing"}}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.query.Limit = 100
			if got := last(log.Find(row.query).Lines); got != row.want {
				t.Errorf("found %q, want %q", got, row.want)
			}
		})
	}
	lines := log.Find(keptlog.Query{Limit: 1}).Lines
	if lines[0].Level != hclog.Error || !strings.HasPrefix(lines[0].Text, "scim-bridge: failed") {
		t.Errorf("the newest line is %+v", lines[0])
	}
}

func last(lines []keptlog.Line) string {
	var words []string
	for _, l := range lines {
		text := strings.TrimSpace(l.Text)
		words = append(words, text[strings.LastIndexAny(text, " =")+1:])
	}
	return strings.Join(words, ",")
}

// Many lines have the same time, to the millisecond.
func TestFoundPagesHaveEveryLineOnce(t *testing.T) {
	t.Parallel()
	log := keptlog.Open(keptlog.Config{Buffer: 1 << 20})
	sink := log.Sink(hclog.Info)
	var want []string
	for i := range 50 {
		text := strings.Repeat("x", i+1)
		want = append(want, text)
		sink.Accept("", hclog.Info, text)
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 7, 50} {
		var got []string
		q := keptlog.Query{Limit: limit}
		for range 2 * len(want) {
			f := log.Find(q)
			for _, l := range f.Lines {
				got = append(got, l.Text)
			}
			if f.Until.IsZero() {
				break
			}
			q.Until, q.Skip = f.Until, f.Skip
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %d lines, want %d in order", limit, len(got), len(want))
		}
	}
}
