//go:build unix

package deployment_test

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A setting that one of flags, schema and guide lacks is forgotten there: the
// guide has a row for every flag, which says where it is in the schema, and
// every setting of the schema is a flag.
func TestASettingIsAFlagAndAnArgumentAndARowOfTheGuide(t *testing.T) {
	t.Parallel()
	flags, vendors := serveFlags(t)
	settings := settingsOfTheSchema(t)
	rows := settingsGuide(t)
	var vendorsInGuide []string
	for flag, variable := range flags {
		row, ok := rows[flag]
		if !ok {
			t.Errorf("--%s has no row in guides/settings.md", flag)
			continue
		}
		if row.variable != variable {
			t.Errorf("guides/settings.md: the variable of --%s is %s, not %q", flag, variable, row.variable)
		}
		name := strings.ReplaceAll(flag, "-", "_")
		if secret := strings.TrimSuffix(name, "_file") + "_wo"; slices.Contains(settings, secret) {
			name = secret // the deployment writes the file
		}
		if is, want := slices.Contains(settings, name), "settings."+name; row.argument == "" ||
			is != (row.argument == want) {
			t.Errorf("guides/settings.md: --%s is %q in scimbridge_deployment; a setting of the schema: %v", flag,
				row.argument, is)
		}
		vendorsInGuide = append(vendorsInGuide, row.vendors...)
	}
	for flag := range rows {
		if _, ok := flags[flag]; !ok {
			t.Errorf("guides/settings.md has a row for --%s, which scim-bridge serve does not have", flag)
		}
	}
	for _, name := range settings {
		if secret, ok := strings.CutSuffix(strings.TrimSuffix(name, "_version"), "_wo"); ok {
			name = secret + "_file"
		}
		if _, ok := flags[strings.ReplaceAll(name, "_", "-")]; !ok {
			t.Errorf("settings.%s of the schema is no flag of scim-bridge serve", name)
		}
	}
	slices.Sort(vendorsInGuide)
	if !slices.Equal(vendors, vendorsInGuide) {
		t.Errorf("the vendor's variables are %q, and in guides/settings.md %q", vendors, vendorsInGuide)
	}
}

// serveFlags are the flags that the bridge explains, with their variables, and
// the variables of the vendor's that it reads.
func serveFlags(t *testing.T) (flags map[string]string, vendors []string) {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), providertest.Binary(t), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	flags = map[string]string{}
	// Those of a group have less in front.
	const flag = `(?ms)^(?: {6}|  )--([a-z-]+)\b.*?\(\$(SCIMBRIDGE_[A-Z_]+)\)\.$`
	for _, match := range regexp.MustCompile(flag).FindAllStringSubmatch(string(help), -1) {
		flags[match[1]] = match[2]
	}
	shown := strings.Count(string(help), "\n      --") + strings.Count(string(help), "\n  --")
	if shown < 10 || shown != len(flags) {
		t.Fatalf("read %d of %d flags: %v", len(flags), shown, flags)
	}
	vendors = regexp.MustCompile(`\bOP_[A-Z_]*[A-Z]`).FindAllString(string(help), -1)
	slices.Sort(vendors)
	return flags, slices.Compact(vendors)
}

func settingsOfTheSchema(t *testing.T) []string {
	t.Helper()
	described, err := providertest.Server(t).GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	whole := described.ResourceSchemas["scimbridge_deployment"].ValueType().(tftypes.Object)
	return slices.Sorted(maps.Keys(whole.AttributeTypes["settings"].(tftypes.Object).AttributeTypes))
}

// A guideRow is a row of the table in guides/settings.md.
type guideRow struct {
	variable, argument string
	vendors            []string
}

// settingsGuide returns the table of the guide by flag.
func settingsGuide(t *testing.T) map[string]guideRow {
	t.Helper()
	text, err := os.ReadFile("../templates/guides/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]guideRow{}
	for line := range strings.Lines(string(text)) {
		flag, ok := strings.CutPrefix(line, "| `--")
		if !ok {
			continue
		}
		cells := strings.Split(strings.Trim(flag, "|\n "), "|")
		if len(cells) != 4 {
			t.Fatalf("a row with %d cells: %s", len(cells), line)
		}
		for i, cell := range cells {
			cells[i] = strings.Trim(cell, " `")
		}
		vendors := regexp.MustCompile(`OP_[A-Z_]*[A-Z]`).FindAllString(cells[2], -1)
		rows[cells[0]] = guideRow{variable: cells[1], argument: cells[3], vendors: vendors}
	}
	return rows
}
