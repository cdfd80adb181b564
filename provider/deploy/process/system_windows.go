package process

import (
	"context"
	"errors"
	"os/exec"
)

var errWindows = errors.New("a bridge cannot run as a process on Windows: it is detached, found again and replaced " +
	"by means that only Unix systems have. Run Terraform on Linux or macOS, WSL included")

// Supported returns why this system cannot run a bridge as a process; nil if it can.
func Supported() error { return errWindows }

func detach(*exec.Cmd) {}

func startOf(int) (string, error) { return "", errWindows }

func exists(int) bool { return false }

func isNotFolder(error) bool { return false }

func terminate(int) error { return errWindows }
func kill(int) error      { return errWindows }

func (t *Target) lock(context.Context) (func(), error) { return nil, errWindows }
