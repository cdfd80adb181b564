// Package words collects the words that a program can say: those in the string literals of its sources, and the
// names of its packages, files, types and functions, which a stack trace has.
//
// It leaves out what looks like an e-mail address, and what may be key material.
package words

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Own returns the words of the Go files below root. Tests and packages for tests are passed over, and so is package
// simulate, which has names of made-up people.
func Own(root string) ([]string, error) {
	found := set{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || name == "simulate" || name == "internal" && isWords(path) ||
			path != root && (strings.HasSuffix(name, "test") || strings.HasPrefix(name, "."))):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		found.addText(filepath.ToSlash(path[len(root):]))
		return found.addFile(path, true)
	})
	return found.sorted(), err
}

// isWords reports whether a folder is the one that this package is in.
func isWords(path string) bool { return strings.HasSuffix(filepath.ToSlash(path), "bundle/internal") }

// Literals returns the words in the string literals of the Go files in the folders, not of those below, without those
// that begin like a name.
func Literals(folders ...string) ([]string, error) {
	found := set{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, errors.New("no Go files in " + folder)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(filepath.Base(path), "zoneinfo") {
				continue
			}
			if err := found.addFile(path, false); err != nil {
				return nil, err
			}
		}
	}
	return slices.DeleteFunc(found.sorted(), like.MatchString), nil
}

// like matches what may be a name.
var like = regexp.MustCompile(`^[A-Z][a-z]`)

// names are words of programs that are people's names, too.
var names = []string{
	"Cherry", "Dream", "Duo", "Fly", "Kong", "Page", "Pierre", "Rand", "Rose", "Street", "West", "Will", "Za",
	"mark", "max",
}

// code matches the codes of countries, which are names of people and groups as well: IT, HR, BO.
var code = regexp.MustCompile(`^[A-Z]{2}$`)

type set map[string]bool

func (s set) sorted() []string {
	all := make([]string, 0, len(s))
	for word := range s {
		if !slices.Contains(names, word) && !code.MatchString(word) {
			all = append(all, word)
		}
	}
	slices.Sort(all)
	return all
}

func (s set) addFile(path string, names bool) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if names {
		s.addText(file.Name.Name)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				s.addText(text)
			}
		case *ast.FuncDecl:
			if names {
				s.addText(n.Name.Name)
			}
		case *ast.TypeSpec:
			if names {
				s.addText(n.Name.Name)
			}
		}
		return true
	})
	return nil
}

var (
	addresses = regexp.MustCompile(`\S*@\S*`)
	verbs     = regexp.MustCompile(`%[-+# 0]*[\d.*\[\]]*[a-zA-Z]`)
	escapes   = regexp.MustCompile(`\\[a-zA-Z]`) // of regular expressions
	word      = regexp.MustCompile(`[A-Za-z0-9_]+`)
	wanted    = regexp.MustCompile(`^[A-Za-z_]+[0-9]{0,3}[A-Za-z]?$`)
)

const (
	longest = 32
	// material is the length of a literal without blanks from which on it may be encoded data.
	material = 120
)

func (s set) addText(text string) {
	if len(text) > material && !strings.ContainsAny(text, " \n") {
		return
	}
	for _, remove := range []*regexp.Regexp{addresses, verbs, escapes} {
		text = remove.ReplaceAllString(text, " ")
	}
	for _, w := range word.FindAllString(text, -1) {
		if len(w) <= longest && wanted.MatchString(w) {
			s[w] = true
		}
	}
}
