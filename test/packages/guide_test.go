//go:build release

package packages

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A guide is the text of a guide, by section.
type guide map[string][]block

// A block is a piece to paste into a shell, or into a file.
type block struct{ file, text string }

var (
	fence = regexp.MustCompile("(?s)\n([^\n]*)\n+```(sh|hcl)\n(.*?)\n```\n")
	saved = regexp.MustCompile("Save this as `([a-z.]+)`")
)

func readGuide(t *testing.T) guide {
	t.Helper()
	return readSections(t, guideText(t, "package.md"), "\n## ")
}

// readPart reads the part of a guide that has the heading.
func readPart(t *testing.T, name, heading string) guide {
	t.Helper()
	_, part, found := strings.Cut(guideText(t, name), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no part %q", name, heading)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	return readSections(t, part, "\n### ")
}

func guideText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../provider/templates/guides/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readSections reads a text whose sections begin with that mark; what is before the first of them has no blocks to run.
func readSections(t *testing.T, text, mark string) guide {
	t.Helper()
	g := make(guide)
	for _, section := range strings.Split(text, mark)[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		for _, m := range fence.FindAllStringSubmatch("\n"+body, -1) {
			b := block{text: m[3] + "\n"}
			if m[2] == "hcl" {
				name := saved.FindStringSubmatch(m[1])
				if name == nil {
					t.Fatalf("before an hcl block it must say where to save it: %s", m[1])
				}
				b.file = name[1]
			}
			g[heading] = append(g[heading], b)
		}
		if fences := strings.Count(body, "```"); fences != 2*len(g[heading]) {
			t.Fatalf("%s: %d blocks in %d fences: some are not seen", heading, len(g[heading]), fences)
		}
	}
	return g
}

// preamble goes before a section: it makes of all of them one shell, and answers
// Terraform's questions with yes.
const preamble = `mkdir -p /root/guide && cd /root/guide
if [ -f .shell ]; then . ./.shell; fi
terraform() {
	case $1 in
	apply) echo yes | command terraform "$@" -no-color ;;
	*) command terraform "$@" </dev/null ;;
	esac
}
`

const epilogue = `
{ export -p; echo "umask $(umask)"; } > .shell
`

// follow runs the blocks of a section in the machine, each text with another in
// place of it, and returns what they printed.
func (g guide) follow(m *machine, heading string, replacing ...string) (out string) {
	m.t.Helper()
	if len(g[heading]) == 0 {
		m.t.Fatalf("the guide has no section %q with blocks", heading)
	}
	script := preamble
	for _, b := range g[heading] {
		text := b.text
		if b.file != "" {
			text = "cat > " + b.file + " <<'END-OF-BLOCK'\n" + text + "END-OF-BLOCK\n"
		}
		script += text
	}
	return m.run(strings.NewReplacer(replacing...).Replace(script) + epilogue)
}
