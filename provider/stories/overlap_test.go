package stories

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// S2: during an overlap every plan says until when both tokens work, and whether
// the identity provider still uses the old one.
func TestAPlanDuringAnOverlapSaysWhereTheOldTokenIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := newToken(t), newToken(t)
	w.config(strings.Replace(w.base(fromAddress), `"25s"`, `"1h"`, 1))
	w.apply(vars{"token": first.Reveal()})
	w.apply(vars{"token": second.Reveal(), "token_version": "2"})
	w.scim(first, http.MethodGet, "/Users", nil, http.StatusOK)
	overlap := w.bridge().Health.Overlap
	if overlap == nil || overlap.LastUsed == nil || time.Until(overlap.Until) > time.Hour {
		t.Fatalf("the bridge's overlap: %+v", overlap)
	}
	p := w.plan(vars{"token_version": "2"})
	p.expectNoChanges(t)
	// In one line: Terraform wraps and frames warnings.
	text := strings.Join(strings.Fields(strings.ReplaceAll(p.text, "│", " ")), " ")
	for _, want := range []string{
		"Two bearer tokens are valid", "until " + overlap.Until.Format(time.RFC3339), "from 127.0.0.1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, p.text)
		}
	}
	w.destroy(vars{"token_version": "2"})
}
