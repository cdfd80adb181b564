package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// A bridge before a SCIM server loses power again and again while people come, join, change, leave and go. It keeps
// nothing, so that what was acknowledged is at the server, and what was not is there once when it was sent again.
func TestABridgeBeforeAServerLosesNothingInCrashes(t *testing.T) {
	t.Parallel()
	const crashes, workers = 20, 8
	far := newFarServer(t)
	bearer := newBearer(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(bearer.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, listen := folder(t, far.seal(t, bearer, session.File{}, 0).String()), ports.Free(t)
	start := func() *process {
		return serve(t, dir, "--listen", listen, "--unseal-token-file", token, "--log-level", "warn",
			"--suspension-limit", "off")
	}
	bridge := start()
	bridge.awaitState(control.Ready)
	p := startPusher(t, "http://"+listen+"/scim/v2", bearer, "crash", workers, 0)
	for range crashes {
		p.awaitSteps(5 + rand.Int64N(20))
		time.Sleep(rand.N(20 * time.Millisecond)) // not when a request has just been answered
		bridge.kill()
		bridge = start()
	}
	p.awaitSteps(workers)
	far.hasExactly(t, p)
	cut := p.counted()
	t.Logf("%d requests were answered well, others: %v", p.steps.Load(), cut)
	if cut[noAnswer] < crashes {
		t.Errorf("%d requests were cut off by %d crashes, so the test shows little", cut[noAnswer], crashes)
	}
}
