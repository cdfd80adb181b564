// Command scim-bridge is the bridge, the account service behind it, and the
// tools around both. This package owns flags and wiring; everything else
// lives in the packages below bridge/.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// cli is the command line: a field per command, each in the file of its
// name. A command is a struct with a Run method, which may ask for a
// context.Context that ends with SIGINT or SIGTERM, and for *console.
type cli struct {
	Dev    devCommand    `cmd:"" help:"Run a new account and its bridge in one process, to try things out."`
	Serve  serveCommand  `cmd:"" help:"Run the bridge."`
	Status statusCommand `cmd:"" help:"Show a bridge's components and problems."`
	Unseal unsealCommand `cmd:"" help:"Show the bearer token to a bridge on this machine."`

	Account  accountCommand  `cmd:"" help:"The account service: serve it, make it, and look after it."`
	Diagnose diagnoseCommand `cmd:"" help:"Read a bridge's log and print the problems in it, with remedies."`
	Help     helpCommand     `cmd:"" help:"Show the help of a command."`
	Ping     pingCommand     `cmd:"" help:"Ask whether a bridge or an account service lives, for health checks."`
	Session  sessionCommand  `cmd:"" help:"Look into a sealed session."`
	Simulate simulateCommand `cmd:"" help:"Play an identity provider's traffic against a bridge, and judge the answers."`
	Token    tokenCommand    `cmd:"" help:"Make a bearer token and print it, alone."`
	Version  versionCommand  `cmd:"" help:"Print version, commit and Go's version."`
}

// console is what a command talks to.
type console struct {
	In       io.Reader
	Out, Err io.Writer
}

func main() {
	disableCoreDumps()
	tuneGC()
	unsetEmptyVariables()
	// Never stopped: a signal that comes while the process is about to exit would
	// make a killed one of a clean end.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	os.Exit(run(ctx, os.Args[1:], &console{os.Stdin, os.Stdout, os.Stderr}))
}

// tuneGC lets the heap grow to five times of what lives on it before the
// collector runs, unless GOGC says otherwise. So little lives here between
// requests that by Go's default the collector would run every few hundred of
// them, a fifth of all CPU; this costs some 20 MiB, and no more with more people.
func tuneGC() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(400)
	}
}

// Exit codes beside 0, as the help has them. A command that means another by
// them says so in its own.
const (
	exitFailed = 1
	exitUsage  = 2
)

// exit is an error that knows its exit code; Err is nil when the command has
// already said everything.
type exit struct {
	Code int
	Err  error
}

func (e *exit) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exit) Unwrap() error { return e.Err }

// run carries out one command and returns the exit code. An error is one line
// on standard error.
func run(ctx context.Context, args []string, c *console) int {
	err := execute(ctx, args, c)
	if err == nil {
		return 0
	}
	code := exitFailed
	if e, ok := errors.AsType[*exit](err); ok {
		code = e.Code
		if e.Err == nil {
			return code
		}
	}
	// Kong quotes what it does not understand, and a token is easily typed in the wrong place.
	fmt.Fprintln(c.Err, "scim-bridge: "+session.Scrub(inputtext.Line(strings.ReplaceAll(err.Error(), "\n", "; "))))
	return code
}

// helpShown stops kong after it printed the help.
type helpShown int

func execute(ctx context.Context, args []string, c *console) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case helpShown:
			if r != 0 {
				err = &exit{Code: int(r)}
			}
		default:
			panic(r)
		}
	}()
	parser, err := newParser(&cli{}, c)
	if err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case len(args) == 1 && args[0] == "--version": // as most programs have it
		args = []string{"version"}
	}
	command, err := parser.parse(args)
	if err != nil {
		return &exit{exitUsage, err}
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(c, parser.Kong)
}
