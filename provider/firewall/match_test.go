package firewall

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// Each kind of match that the account knows has its row here, its own field in
// the model, and its place in the documentation.
func TestEveryKindOfMatchIsAnAttribute(t *testing.T) {
	t.Parallel()
	model := reflect.TypeFor[ruleModel]()
	if len(matchAttributes) != len(firewall.Kinds()) {
		t.Errorf("there are %d kinds of matches, and %d attributes", len(firewall.Kinds()), len(matchAttributes))
	}
	for i, kind := range firewall.Kinds() {
		if i >= len(matchAttributes) || matchAttributes[i].kind != kind {
			t.Errorf("row %d is not about %s: the rows are in the order of the account's table", i, kind)
			continue
		}
		var m ruleModel
		field := reflect.ValueOf(matchAttributes[i].field(&m)).Pointer()
		found := false
		for f := range model.NumField() {
			if model.Field(f).Tag.Get("tfsdk") == string(kind) {
				found = reflect.ValueOf(&m).Elem().Field(f).Addr().Pointer() == field
			}
		}
		if !found {
			t.Errorf("the field of %s is not the one that is tagged so", kind)
		}
	}
}

func TestEveryKindOfMatchIsDocumented(t *testing.T) {
	t.Parallel()
	for _, page := range []string{
		"docs/resources/firewall_rule.md", "docs/resources/firewall_policy.md", "docs/data-sources/firewall_policy.md",
		"docs/guides/firewall-as-code.md",
	} {
		text, err := os.ReadFile(filepath.Join("../..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range firewall.Kinds() {
			if !strings.Contains(string(text), "`"+string(kind)+"`") {
				t.Errorf("%s does not mention %s; write it into provider/templates, and run make docs", page, kind)
			}
		}
	}
}
