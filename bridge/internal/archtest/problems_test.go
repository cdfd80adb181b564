package archtest

import (
	"go/ast"
	"go/constant"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

const (
	problems    = module + "/bridge/problem"
	problemCode = problems + ".Code"
)

// Whatever can be a problem has an entry in the catalogue: without one, the
// status page, the log and Terraform would show its bare code and no remedy.
func TestEveryProblemIsInTheCatalogue(t *testing.T) {
	t.Parallel()
	all, exports := compiled(t)
	checked := 0
	for _, r := range all {
		if r.ImportPath != problems && !slices.Contains(r.Deps, problems) && !under(local(r.ImportPath), "bridge") {
			continue
		}
		checked++
		for _, found := range uncatalogued(t, r, exports) {
			t.Error(found)
		}
	}
	if checked < 10 {
		t.Fatalf("only %d packages were checked: the test would prove nothing", checked)
	}
}

// The check itself finds every way to make a code.
func TestAProblemWithoutAnEntryIsFound(t *testing.T) {
	t.Parallel()
	_, exports := compiled(t)
	for _, row := range []struct {
		name, code string
		found      bool
	}{
		{"a constant of the catalogue", `var p = problem.New(problem.Sealed, time.Time{}, nil)`, false},
		{"no code", `func f(c problem.Code) bool { return c == "" }`, false},
		{"a string that is no code", `var s = "something_new"`, false},
		{"a code from elsewhere", `func f(s string) problem.Code { return problem.Code(s) }`, false},
		{"a constant of one's own", `const c problem.Code = "something_new"`, true},
		{"a literal in a call", `var p = problem.New("something_new", time.Time{}, nil)`, true},
		{"a literal in a struct", `var p = problem.Problem{Code: "something_new"}`, true},
		{"a literal in a list", `var p = []problem.Code{"something_new"}`, true},
		{"a conversion", `var c = problem.Code("something_new")`, true},
		{"a comparison with a misspelt code", `func f(c problem.Code) bool { return c == "saeled" }`, true},
		{"a code in a line of the log", `func f(log func(string, ...any)) { log("it is new", problem.LogKey, ` +
			`"something_new") }`, true},
		{"a code in the fields of a line", `var fields = []any{"problem", "something_new"}`, true},
		{"a catalogued code in a line of the log", `var fields = []any{problem.LogKey, string(problem.Sealed)}`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			source := "package p\n\nimport (\n\t\"time\"\n\n\t\"" + problems + "\"\n)\n\nvar _ problem.Code\n" +
				"var _ time.Time\n\n" + row.code + "\n"
			if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			found := uncatalogued(t, built{ImportPath: module + "/p", Dir: dir, GoFiles: []string{"p.go"}}, exports)
			if (len(found) > 0) != row.found {
				t.Errorf("found %q", found)
			}
		})
	}
}

// uncatalogued returns where a package has a constant code of a problem that the
// catalogue does not have, as a problem.Code or under problem.LogKey in a log line.
func uncatalogued(t *testing.T, r built, exports map[string]string) (found []string) {
	t.Helper()
	var known []string
	for _, e := range problem.Catalogue() {
		known = append(known, string(e.Code))
	}
	if r.ImportPath == problems { // what only a log of the vendor's tells
		for _, l := range problem.VendorLines() {
			known = append(known, string(l.Code))
		}
	}
	fset, info, files := parsed(t, r, exports)
	report := func(at ast.Expr, code string) {
		if code != "" && !slices.Contains(known, code) {
			found = append(found, fset.Position(at.Pos()).String()+" has the problem "+code+", which the catalogue "+
				"does not have")
		}
	}
	text := func(e ast.Expr) string {
		if v := info.Types[e].Value; v != nil && v.Kind() == constant.String {
			return constant.StringVal(v)
		}
		return ""
	}
	for expr, tv := range info.Types {
		if named, ok := tv.Type.(*types.Named); ok && named.String() == problemCode {
			report(expr, text(expr))
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			var list []ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				list = n.Args
			case *ast.CompositeLit:
				list = n.Elts
			}
			for i := range len(list) - 1 {
				if text(list[i]) == problem.LogKey {
					report(list[i+1], text(list[i+1]))
				}
			}
			return true
		})
	}
	return found
}
