package client

import (
	"strings"
	"testing"
)

// What every error of a run says must be true: where the configuration does
// not tell the address of an object, the first error has no block for it.
func TestEveryObjectThatExistsHasItsImportBlock(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		addresses map[string]string // by id
		refused   []string
		want      []string // blocks are for these, by error
	}{
		{"all addresses are known", map[string]string{"a": "it.a", "b": "it.b"}, []string{"a", "b"},
			[]string{"it.a it.b", ""}},
		{"none is known", nil, []string{"a", "b", "b"}, []string{"it.<name>", "it.<name>", "it.<name>"}},
		{"one is known", map[string]string{"b": "it.b"}, []string{"a", "b", "c"},
			[]string{"it.<name> it.b", "", "it.<name>"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var e Existing
			for i, id := range row.refused {
				text := e.Describe("it", id, "It exists.", "things", func() map[string]string { return row.addresses })
				var blocks []string
				for line := range strings.Lines(text) {
					if to, ok := strings.CutPrefix(line, "  to = "); ok {
						blocks = append(blocks, strings.TrimSpace(to))
					}
				}
				if got := strings.Join(blocks, " "); got != row.want[i] {
					t.Errorf("error %d has blocks for %q, want %q:\n%s", i+1, got, row.want[i], text)
				}
				if refers := strings.Contains(text, "The first error"); refers != (row.want[i] == "") {
					t.Errorf("error %d refers to the first one: %t", i+1, refers)
				}
			}
		})
	}
}
