package process

import (
	"context"
	"errors"
	"os/exec"
)

var errWindows = errors.New("a bridge cannot run as a process on Windows: detaching, finding and replacing it need " +
	"a Unix system. Run Terraform on Linux, macOS or WSL")

// Supported returns why this system cannot run a bridge as a process; nil if it can.
func Supported() error { return errWindows }

func detach(*exec.Cmd) {}

func startOf(int) (string, error) { return "", errWindows }

func exists(int) bool { return false }

func isNotFolder(error) bool { return false }

func terminate(int) error { return errWindows }
func kill(int) error      { return errWindows }

func (t *Target) lock(context.Context) (func(), error) { return nil, errWindows }
