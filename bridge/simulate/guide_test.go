package simulate

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestTheGuideHasEveryHabit(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../provider/templates/guides/simulate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range habits {
		rfc := h.RFC
		if h.Beyond {
			rfc += " *"
		}
		if row := fmt.Sprintf("\n| `%s` | %s | %s |\n", h.ID, h.Title, rfc); !strings.Contains(string(guide), row) {
			t.Errorf("the guide lacks the row %q", row)
		}
	}
}
