//go:build browser

package browser

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// Download clicks on what downloads a file, waits for the whole of it, and returns its name and its content.
func (e Element) Download() (name string, content []byte) {
	p := e.page
	p.t.Helper()
	folder, origin := p.kept(), Evaluate[string](p, "location.origin")
	type state struct {
		sync.Mutex
		guid, name string
		progress   cdpbrowser.DownloadProgressState
	}
	var s state
	p.must("listen for downloads", chromedp.ListenBrowser(p.ctx, func(event any) {
		s.Lock()
		defer s.Unlock()
		switch e := event.(type) {
		case *cdpbrowser.EventDownloadWillBegin:
			if strings.HasPrefix(e.URL, origin+"/") { // and no other test's
				s.guid, s.name = e.GUID, e.SuggestedFilename
			}
		case *cdpbrowser.EventDownloadProgress:
			if e.GUID == s.guid {
				s.progress = e.State
			}
		}
	}))
	events := true
	_, err := chromedp.CallBrowser(p.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior:         cdpbrowser.SetDownloadBehaviorBehaviorAllowAndName,
		BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
		DownloadPath:     folder,
		EventsEnabled:    &events,
	})
	p.must("allow downloads", err)
	p.loading.Store(true)
	defer p.loading.Store(false)
	e.Click()
	p.Eventually("the download is complete", func() (bool, string) {
		s.Lock()
		defer s.Unlock()
		return s.progress == cdpbrowser.DownloadProgressStateCompleted, string(s.progress)
	})
	s.Lock()
	defer s.Unlock()
	from, to := filepath.Join(folder, s.guid), filepath.Join(folder, filepath.Base(s.name))
	p.must("keep the download", os.Rename(from, to))
	content, err = os.ReadFile(to)
	p.must("read the download", err)
	return s.name, content
}
