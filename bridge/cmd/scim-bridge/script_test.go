package main

import (
	"flag"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
)

// The test binary is scim-bridge when it is called by that name, so that
// scripts and the tests of whole processes run what ships. They wait more than
// they compute: two a core run at a time, unless -parallel says otherwise.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(tests{m}, map[string]func(){
		"scim-bridge": func() {
			go endWithParent(os.Getppid())
			main()
		},
		"verify-chain": verifyChain,
	})
}

// tests are the tests of this program, as opposed to a command that one of them starts. They end with go test, and by a
// signal: commands that ran in this process listen for both signals from then on.
type tests struct{ *testing.M }

func (t tests) Run() int {
	go endWithParent(os.Getppid())
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ends
		os.Exit(exitFailed)
	}()
	return t.M.Run()
}

// endWithParent ends a process whose test is gone. A test that is killed cleans
// up nothing, and a server would hold its port for ever.
func endWithParent(parent int) {
	for os.Getppid() == parent {
		time.Sleep(100 * time.Millisecond)
	}
	os.Exit(exitFailed)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	// A port that is in use while the scripts run.
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	// An IP database that answers nothing.
	cable := ipdatatest.Write(t, "cable", map[string]ipdatatest.Record{"192.0.2.0/24": {"connection_type": "Cable"}})
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TAKEN", taken.Addr().String())
			env.Setenv("CABLE", cable)
			return nil
		},
	})
}
