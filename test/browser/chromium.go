//go:build browser

package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// timeout bounds the start of the browser and every step in it: long enough for a machine that runs other tests, too.
const timeout = 2 * time.Minute

// programs are the names of browsers that understand the same protocol, the one that is tested most first.
var programs = []string{"chromium", "chromium-browser", "google-chrome"}

// One browser serves all tests of a process that run at the same time, since each start takes a second of the
// processor. It ends with the last of them.
var shared struct {
	sync.Mutex
	users int
	*process
}

type process struct {
	ctx  context.Context //nolint:containedctx // it is the browser: chromedp keeps it there
	stop func()
}

// chromium returns the shared browser, as a context for chromedp, until the test ends.
func chromium(t testing.TB) context.Context {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.users == 0 {
		started, err := start()
		if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") == "" {
			t.Skip("no browser: apt-get install chromium")
		}
		if err != nil {
			t.Fatalf("start the browser: %v", err)
		}
		shared.process = started
	}
	shared.users++
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.users--; shared.users == 0 {
			shared.stop()
		}
	})
	return shared.ctx
}

func start() (*process, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	// chromedp makes a folder for the profile where temporary files are, and removes it; the kernel kills the browser
	// together with this process. It is told what to do through a pipe, so that no port is open.
	allocator, release := chromedp.NewExecAllocator(context.Background(), slices.Concat(
		chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
			chromedp.ExecPath(program),
			// It can have no sandbox as root or in a container, and opens only what the tests serve.
			chromedp.NoSandbox,
			chromedp.DisableGPU,
			chromedp.Flag("disable-component-update", true),
			// Tests serve certificates of authorities that they have made.
			chromedp.IgnoreCertErrors,
			chromedp.Env("HOME=" + os.TempDir()), // or it writes into the one of whoever runs the tests
		})...)
	ctx, cancel := chromedp.NewContext(allocator)
	p := &process{ctx: ctx, stop: func() { cancel(); release() }}
	late := time.AfterFunc(timeout, cancel)
	err = chromedp.Do(ctx)
	if !late.Stop() {
		err = fmt.Errorf("%s did not start within %s", program, timeout)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func find() (path string, err error) {
	for _, program := range programs {
		if path, err = exec.LookPath(program); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w (any of %q)", err, programs)
}
