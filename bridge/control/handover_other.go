//go:build !unix

package control

import (
	"context"
	"errors"
	"net"
	"net/http"
)

var errNoHandOver = errors.New("this system cannot pass a listening socket between processes: stop the old bridge, " +
	"then start the new one")

// HandOver is refused here.
func HandOver(http.ResponseWriter, net.Listener) error { return errNoHandOver }

// Receive is refused here.
func Receive(context.Context, string, func(net.Listener) error) error { return errNoHandOver }
