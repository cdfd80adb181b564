package deployment

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
)

// A new kind of target must not be hunted for in this package.
func TestNothingButTheRegistryNamesAKindOfTarget(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %q (%v): the test would prove nothing", files, err)
	}
	var document resource.SchemaResponse
	New().Schema(t.Context(), resource.SchemaRequest{}, &document)
	for _, k := range kinds(Access{}) {
		words := []string{`(?i)\b` + k.Name + `\b`, `deploy/` + k.Name}
		for argument := range k.attributeTypes() {
			if _, own := document.Schema.Attributes[argument]; own || argument == observationKey {
				continue // this package has the same word for something of its own
			}
			words = append(words, "[\"`.]"+argument+"[\"`]")
		}
		forbidden := regexp.MustCompile(strings.Join(words, "|"))
		registry := []string{"kinds.go", "kind_" + k.Name + ".go"}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			named := forbidden.Find(text)
			switch {
			case slices.Contains(registry, file) && named == nil:
				t.Errorf("%s does not name the target %s: the test proves nothing", file, k.Name)
			case strings.HasPrefix(file, "kind"), strings.HasSuffix(file, "_test.go"):
			case named != nil:
				t.Errorf("%s names the target %s: %q", file, k.Name, named)
			}
		}
	}
}

func TestEveryKindOfTargetIsRegistered(t *testing.T) {
	t.Parallel()
	var registered []string
	for _, k := range kinds(Access{}) {
		registered = append(registered, k.Name)
	}
	entries, err := os.ReadDir("../deploy")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		// a folder without a package of its own is not a kind yet
		sources, err := filepath.Glob(filepath.Join("../deploy", e.Name(), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		if len(sources) > 0 && e.IsDir() && !slices.Contains(registered, e.Name()) {
			t.Errorf("no deployment can have the target of provider/deploy/%s", e.Name())
		}
	}
	if _, _, err := kindOf(kinds(Access{}), "nowhere:/bridge"); err == nil ||
		!strings.Contains(err.Error(), "process:/absolute/data_dir") {
		t.Errorf("an id of no kind: %v", err)
	}
}
