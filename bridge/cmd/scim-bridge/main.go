// Command scim-bridge is the bridge, the account service behind it, and the
// tools for both. This package owns flags and wiring; everything else is in the
// packages below bridge/.
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

// cli is the command line: one field per command, each in the file of its name. A
// command is a struct with a Run method, which may take a context.Context that
// ends with SIGINT or SIGTERM, and a *console.
type cli struct {
	Dev    devCommand    `cmd:"" help:"Run an account and its bridge in one process, to try things out."`
	Serve  serveCommand  `cmd:"" help:"Run the bridge."`
	Status statusCommand `cmd:"" help:"Show the components and problems of a bridge."`
	Unseal unsealCommand `cmd:"" help:"Unseal a bridge on this machine with the bearer token."`
	Seal   sealCommand   `cmd:"" help:"Seal a bridge on this machine again, until it sees the bearer token."`
	Reload reloadCommand `cmd:"" help:"Make a bridge on this machine read its files again, as on SIGHUP."`

	Account    accountCommand    `cmd:"" help:"Create, serve and maintain an account."`
	Completion completionCommand `cmd:"" help:"Print what teaches a shell to complete commands and flags."`
	Diagnose   diagnoseCommand   `cmd:"" help:"Print the problems in a bridge's log, with remedies."`
	Explain    explainCommand    `cmd:"" help:"Say why a person or a group is in the account or is not."`
	Journal    journalCommand    `cmd:"" help:"Show what happened to a bridge on this machine lately."`
	Help       helpCommand       `cmd:"" help:"Show the help of a command."`
	Holds      holdsCommand      `cmd:"" help:"List and decide what a bridge on this machine holds beyond its limit."`
	Ping       pingCommand       `cmd:"" help:"Check that a bridge or an account service is alive, for health checks."`
	Bundle     bundleCommand     `cmd:"" name:"support-bundle" help:"Make a support bundle of a bridge."`
	Session    sessionCommand    `cmd:"" help:"Inspect a sealed session, or make one for a SCIM server."`
	Simulate   simulateCommand   `cmd:"" help:"Play identity providers against any SCIM server, and check the answers."`
	Token      tokenCommand      `cmd:"" help:"Generate and print a bearer token."`
	Version    versionCommand    `cmd:"" help:"Print version, commit and Go version."`
}

// console has the standard streams of a command.
type console struct {
	In       io.Reader
	Out, Err io.Writer
}

func main() {
	disableCoreDumps()
	tuneGC()
	unsetEmptyVariables()
	// Never stopped: with the default handler, a signal during the exit would turn
	// exit code 0 into a death by signal.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	os.Exit(run(ctx, os.Args[1:], &console{os.Stdin, os.Stdout, os.Stderr}))
}

// tuneGC lets the heap grow to five times its live size before the collector
// runs, unless GOGC is set. The live heap is so small that with Go's default the
// collector would run every few hundred requests and take a fifth of the CPU. This
// costs some 20 MiB, independent of the number of people.
func tuneGC() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(400)
	}
}

// Exit codes other than 0, as in the help. A command with other meanings lists
// them in its own help.
const (
	exitFailed = 1
	exitUsage  = 2
)

// exit is an error with an exit code. Err is nil if the command has printed
// everything already.
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

// run runs one command and returns the exit code. An error is one line on
// standard error.
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
	// Kong quotes arguments that it does not know, and one may be a misplaced token.
	fmt.Fprintln(c.Err, "scim-bridge: "+session.Scrub(inputtext.Line(strings.ReplaceAll(err.Error(), "\n", "; "))))
	return code
}

// helpShown is the panic that stops kong after it has printed the help.
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
	case len(args) > 0 && args[0] == completeWord:
		return complete(parser.Model, args[1:], c.Out)
	case len(args) == 0:
		args = []string{"--help"}
	case len(args) == 1 && args[0] == "--version": // as most programs have it
		args = []string{"version"}
	}
	command, err := parser.parse(args)
	if err != nil {
		return &exit{exitUsage, err}
	}
	warnOfPassword(command, func(text string) { fmt.Fprintln(c.Err, "scim-bridge: "+text) })
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(c, parser.Kong)
}
