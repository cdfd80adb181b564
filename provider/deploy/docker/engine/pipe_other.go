//go:build !windows

package engine

import "errors"

func (e endpoint) dialPipe() (dialFunc, error) {
	return nil, errors.New("npipe is for Windows; use unix:///var/run/docker.sock, tcp or ssh")
}
