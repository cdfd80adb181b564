package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: ${enum}."`
}

// Help implements kong.HelpProvider.
func (completionCommand) Help() string {
	return `Prints what teaches a shell to complete commands, flags and their values. The packages install it.

For this bash, this zsh or this fish alone:

  scim-bridge completion bash > completion && source ./completion
  scim-bridge completion zsh > completion && source ./completion
  scim-bridge completion fish | source

For every new one of yours:

  scim-bridge completion bash > ~/.local/share/bash-completion/completions/scim-bridge
  scim-bridge completion zsh > ~/.zfunc/_scim-bridge     (a folder in $fpath)
  scim-bridge completion fish > ~/.config/fish/completions/scim-bridge.fish`
}

//go:embed completion
var completionScripts embed.FS

// Run prints the script of a shell.
func (s *completionCommand) Run(c *console) error {
	script, err := completionScripts.ReadFile("completion/" + s.Shell)
	if err == nil {
		_, err = c.Out.Write(script)
	}
	return err
}

// completeWord is the first argument of the scripts' requests. It is no command: what follows may be anything.
const completeWord = "__complete"

// What the scripts complete by themselves.
const (
	completeFiles   = ":files"
	completeFolders = ":folders"
)

// complete prints what may stand in the place of the last of words, a line each: a text, and after a tab what it
// means; or what the shell completes itself.
func complete(model *kong.Application, words []string, w io.Writer) error {
	if len(words) == 0 {
		words = []string{""}
	}
	c := &completion{node: model.Node}
	for _, word := range words[:len(words)-1] {
		c.read(word)
	}
	last := words[len(words)-1]
	for _, candidate := range c.candidates(last) {
		value, _, _ := strings.Cut(candidate, "\t")
		if strings.HasPrefix(value, last) || value == completeFiles || value == completeFolders {
			if _, err := fmt.Fprintln(w, candidate); err != nil {
				return err
			}
		}
	}
	return nil
}

// A completion is where a command line leads.
type completion struct {
	node     *kong.Node
	flag     *kong.Flag // whose value comes next; nil if none does
	given    []*kong.Flag
	args     int  // how many arguments were given
	argsOnly bool // after --
}

// read takes the next word.
func (c *completion) read(word string) {
	switch {
	case c.flag != nil:
		c.flag = nil
	case c.argsOnly:
		c.args++
	case word == "--":
		c.argsOnly = true
	case strings.HasPrefix(word, "-") && word != "-":
		name, _, hasValue := strings.Cut(word, "=")
		if f := c.find(name); f != nil {
			c.given = append(c.given, f)
			if !hasValue && !f.IsBool() && !f.IsCounter() {
				c.flag = f
			}
		}
	default:
		if child := c.child(word); child != nil && c.args == 0 {
			c.node = child
		} else {
			c.args++
		}
	}
}

func (c *completion) child(name string) *kong.Node {
	for _, n := range c.node.Children {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// command is what runs if no other command is named: a group may have one that takes flags and arguments by default.
func (c *completion) command() *kong.Node {
	if d := c.node.DefaultCmd; d != nil && d.Tag.Default == "withargs" {
		return d
	}
	return c.node
}

// flags returns the flags of the command and of those that it is part of.
func (c *completion) flags() (all []*kong.Flag) {
	for _, group := range c.command().AllFlags(true) {
		all = append(all, group...)
	}
	return all
}

func (c *completion) find(name string) *kong.Flag {
	for _, f := range c.flags() {
		if "--"+f.Name == name || f.Short != 0 && "-"+string(f.Short) == name {
			return f
		}
	}
	return nil
}

// candidates returns what may come next, for any beginning of it but that of a flag.
func (c *completion) candidates(last string) (all []string) {
	name, _, hasValue := strings.Cut(last, "=")
	switch f := c.find(name); {
	case c.flag != nil:
		return values(c.flag.Value)
	case !c.argsOnly && hasValue && f != nil && !f.IsBool():
		for _, v := range values(f.Value) {
			if v != completeFiles && v != completeFolders {
				v = name + "=" + v
			}
			all = append(all, v)
		}
		return all
	case !c.argsOnly && strings.HasPrefix(last, "-"):
		for _, f := range c.flags() {
			if !c.wasGiven(f) || f.IsCumulative() {
				all = append(all, "--"+f.Name+"\t"+f.Help)
			}
		}
		return all
	}
	if c.args == 0 {
		begun := c.command() != c.node && slices.ContainsFunc(c.command().Flags, c.wasGiven)
		for _, n := range c.node.Children {
			if !n.Hidden && (n == c.command() || !begun) {
				all = append(all, n.Name+"\t"+n.Help)
			}
		}
	}
	return append(all, c.arguments()...)
}

func (c *completion) wasGiven(f *kong.Flag) bool {
	for _, g := range c.given {
		if g == f {
			return true
		}
	}
	return false
}

// arguments returns what may be the next argument.
func (c *completion) arguments() []string {
	positional := c.command().Positional
	switch {
	case len(positional) == 0:
		return nil
	case c.args < len(positional):
		return values(positional[c.args])
	case positional[len(positional)-1].IsCumulative():
		return values(positional[len(positional)-1])
	default:
		return nil
	}
}

// values returns the values of a flag or an argument: those of a closed set, or what its placeholder says.
func values(v *kong.Value) []string {
	shown := v.Name
	if v.Flag != nil {
		shown = v.Flag.PlaceHolder
	}
	switch {
	case v.Enum != "":
		return v.EnumSlice()
	case v.Tag.Get("complete") == "kinds":
		kinds := make([]string, 0, len(journal.Kinds()))
		for _, k := range journal.Kinds() {
			kinds = append(kinds, string(k))
		}
		return kinds
	case strings.HasPrefix(strings.ToUpper(shown), "FILE"):
		return []string{completeFiles}
	case shown == "DIR", v.Name == "data-dir":
		return []string{completeFolders}
	default:
		return nil
	}
}
