package archtest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

const (
	accountAPI = module + "/bridge/account/api"
	errorCode  = accountAPI + ".ErrorCode"
)

// pageCodes are constants of type api.ErrorCode that package api does not have: of refusals that
// only the pages for people and the commands show, as text.
var pageCodes = map[string]string{
	"codeDomainNotAllowed": "domain_not_allowed", "codeLinkUnknown": "link_unknown",
	"codeNothingToSend": "nothing_to_send",
}

// otherWords are codes that are also something else in plain strings.
var otherWords = map[string]string{
	"suspended":     "a field of a person and of a member",
	"address_taken": "a kind of attention",
}

// A code of the account API that is written as a literal can be misspelt, and then means nothing to
// a client that compares it: outside the generated file there are constants of type api.ErrorCode only.
// Tests are left out: they speak for a client, and one that misspells a code fails.
func TestCodesOfTheAccountAPIAreConstants(t *testing.T) {
	t.Parallel()
	all, exports := compiled(t)
	checked := 0
	for _, r := range all {
		if r.ImportPath == accountAPI || !slices.Contains(r.Deps, accountAPI) {
			continue
		}
		checked++
		for _, found := range codeLiterals(t, r, exports) {
			t.Error(found)
		}
	}
	if checked < 10 {
		t.Fatalf("only %d packages know the account API: the test would prove nothing", checked)
	}
}

// A code that no account answers is a promise of openapi.yaml that is not kept.
func TestEveryCodeOfTheAccountAPIIsMade(t *testing.T) {
	t.Parallel()
	all, exports := compiled(t)
	made, promised := map[string]bool{}, 0
	for _, r := range all {
		if !under(local(r.ImportPath), "bridge/account") || !slices.Contains(r.Deps, accountAPI) {
			continue
		}
		_, info := check(t, r, exports)
		for _, used := range info.Uses {
			if used.Pkg() != nil && used.Pkg().Path() == accountAPI {
				made[used.Name()] = true
			}
		}
	}
	codes, err := importsFrom(exports).Import(accountAPI)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range codes.Scope().Names() {
		if c, ok := codes.Scope().Lookup(name).(*types.Const); ok && c.Type().String() == errorCode {
			promised++
			if !made[name] {
				t.Errorf("openapi.yaml lists %s, which no account answers", c.Val())
			}
		}
	}
	if promised < 25 {
		t.Fatalf("openapi.yaml lists only %d codes: the test would prove nothing", promised)
	}
}

// The check itself finds every way to write a code down.
func TestALiteralCodeIsFound(t *testing.T) {
	t.Parallel()
	_, exports := compiled(t)
	for _, row := range []struct {
		name, code string
		found      bool
	}{
		{"a constant of the generated file", `var c = api.ErrorCodeNotFound`, false},
		{"no code", `func f(c api.ErrorCode) bool { return c == "" }`, false},
		{"a text that is no code", `var c = "not found"`, false},
		{"a code of another vocabulary", `type Code string; const c Code = "not_found"`, false},
		{"a comparison with a misspelt code", `func f(c api.ErrorCode) bool { return c == "not_fuond" }`, true},
		{"a case of a switch", `func f(c api.ErrorCode) { switch c { case "not_found": } }`, true},
		{"a field", `var p = api.Problem{Code: "not_found"}`, true},
		{"an argument", `func g(api.ErrorCode) {}; func f() { g("not_found") }`, true},
		{"a conversion", `var c = api.ErrorCode("not_found")`, true},
		{"a constant of one's own", `const c api.ErrorCode = "not_found"`, true},
		{"a constant without a type", `const c = "not_fuond"; func f(d api.ErrorCode) bool { return d == c }`, true},
		{"a comparison of plain strings", `func f(c api.ErrorCode) bool { return string(c) == "not_found" }`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			source := "package p\n\nimport \"" + accountAPI + "\"\n\nvar _ api.ErrorCode\n\n" + row.code + "\n"
			if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			found := codeLiterals(t, built{ImportPath: module + "/p", Dir: dir, GoFiles: []string{"p.go"}}, exports)
			if (len(found) > 0) != row.found {
				t.Errorf("found %q", found)
			}
		})
	}
}

// built is a package that the go command has compiled.
type built struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Deps       []string
	Export     string // the file with its types
}

// compiled returns this module's packages, and the export data of whatever they import.
func compiled(t *testing.T) (ours []built, exports map[string]string) {
	t.Helper()
	all, err := listed()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	exports = map[string]string{}
	for _, r := range all {
		exports[r.ImportPath] = r.Export
		if r.ImportPath != local(r.ImportPath) {
			ours = append(ours, r)
		}
	}
	return ours, exports
}

// listed asks the go command once for all tests.
var listed = sync.OnceValues(func() (all []built, _ error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Deps,Export",
		module+"/...").Output()
	if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var r built
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
})

// codeLiterals returns where a package spells a code of the account API.
func codeLiterals(t *testing.T, r built, exports map[string]string) (found []string) {
	t.Helper()
	fset, info := check(t, r, exports)
	for expr, tv := range info.Types {
		if spellsCode(expr, tv, info) {
			found = append(found, fset.Position(expr.Pos()).String()+" spells the code "+tv.Value.String()+
				"; use the constant of package api")
		}
	}
	return found
}

// check reads a package with the types of its expressions.
func check(t *testing.T, r built, exports map[string]string) (*token.FileSet, *types.Info) {
	t.Helper()
	fset, info, _ := parsed(t, r, exports)
	return fset, info
}

// parsed is check with the files that the package was read from.
func parsed(t *testing.T, r built, exports map[string]string,
) (fset *token.FileSet, info *types.Info, files []*ast.File) {
	t.Helper()
	fset = token.NewFileSet()
	for _, name := range r.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(r.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importsFrom(exports)}
	if _, err := config.Check(r.ImportPath, fset, files, info); err != nil {
		t.Fatal(err)
	}
	return fset, info, files
}

func importsFrom(exports map[string]string) types.Importer {
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
}

// spellsCode reports whether an expression is a code that does not come from package api.
func spellsCode(expr ast.Expr, tv types.TypeAndValue, info *types.Info) bool {
	if tv.Value == nil || tv.Value.Kind() != constant.String || constant.StringVal(tv.Value) == "" {
		return false
	}
	code := constant.StringVal(tv.Value)
	switch expr := expr.(type) {
	case *ast.BasicLit:
		if named, ok := tv.Type.(*types.Named); ok {
			return named.String() == errorCode && !slices.Contains(slices.Collect(maps.Values(pageCodes)), code)
		}
		return api.ErrorCode(code).Valid() && otherWords[code] == ""
	case *ast.Ident:
		use, ok := info.Uses[expr].(*types.Const)
		return ok && tv.Type.String() == errorCode && use.Pkg().Path() != accountAPI && pageCodes[use.Name()] != code
	}
	return false
}
