package process

import (
	"context"
	"runtime"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// SetStarts replaces what the system says of when processes started.
func (t *Target) SetStarts(starts func(pid int) (string, error)) { t.starts = starts }

// Ask asks the bridge at a socket of the data folder.
func (t *Target) Ask(ctx context.Context, socket string) error {
	_, err := t.ask(ctx, socket)
	return err
}

// Bundled returns the program that comes with the provider at a path.
func Bundled(provider string) (string, error) {
	return firstProgram(deploy.ProgramsBeside(provider, runtime.GOOS, runtime.GOARCH))
}
