package engine

import (
	"context"
	"net"
	"strings"

	"github.com/Microsoft/go-winio"
)

func (e endpoint) dialPipe() (dialFunc, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return winio.DialPipeContext(ctx, strings.ReplaceAll(e.path, "/", `\`))
	}, nil
}
