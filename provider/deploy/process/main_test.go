package process_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		fmt.Fprintln(os.Stderr, answerWithoutListening(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(providertest.Guard(m.Run))
}

// answerWithoutListening is a bridge that is slow between the opening of its control socket and the failure to listen
// on its address: it fails when it was asked for its status three times.
func answerWithoutListening(args []string) error {
	var socket string
	for _, arg := range args {
		if dir, ok := strings.CutPrefix(arg, "--data-dir="); ok {
			socket = filepath.Join(dir, control.SocketName)
		}
	}
	listener, err := control.Listen(socket)
	if err != nil {
		return err
	}
	asked := make(chan struct{})
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"pid":%d,"instance":"x","connection":%q}`, os.Getpid(), control.Starting)
			asked <- struct{}{}
		}))
	}()
	for range 3 {
		<-asked
	}
	return errors.New("listen: address already in use")
}
