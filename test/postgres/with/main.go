// Command with runs another command beside a PostgreSQL server, whose address is in the variable
// SCIMBRIDGE_TEST_POSTGRES: all databases of the command's tests are there.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func run(ctx context.Context) (err error) {
	port, err := postgres.FreePort(ctx)
	if err != nil {
		return err
	}
	// What a test loses with the power is not what these tests are about.
	s, err := postgres.New(ctx, os.TempDir(), port, "fsync=off", "full_page_writes=off", "max_connections=400")
	if err != nil {
		return err
	}
	defer func() {
		if removed := s.Remove(); err == nil {
			err = removed
		}
	}()
	cmd := exec.CommandContext(ctx, os.Args[1], os.Args[2:]...)
	cmd.Env = append(os.Environ(), "SCIMBRIDGE_TEST_POSTGRES="+s.URL("postgres"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
}
