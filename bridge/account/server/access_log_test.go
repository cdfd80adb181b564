package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// deadlines notes until when a body may be read and an answer written.
type deadlines struct {
	http.ResponseWriter
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = t; return nil }

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

func newServer(log hclog.Logger) *server {
	return &server{Config: Config{Logger: log, Events: httpkit.NewEventLog(log)}, metrics: newMetrics(nil)}
}

// Writing 100,000 members takes longer than the sixty seconds of anything else,
// and the connection must not be cut meanwhile.
func TestTheTimeoutGrowsWithTheRequest(t *testing.T) {
	t.Parallel()
	s := newServer(hclog.NewNullLogger())
	var left time.Duration
	h := s.observe(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		admit(r, "token:test")
		deadline, _ := r.Context().Deadline()
		left = time.Until(deadline)
	}))
	for _, row := range []struct {
		name         string
		bytes        int64
		least, bound time.Duration
	}{
		{"nothing", 0, 55 * time.Second, time.Minute},
		{"an unknown length", -1, 55 * time.Second, time.Minute},
		{"100,000 members", 3_000_000, 2 * time.Minute, 3 * time.Minute},
		{"more than any client sends", 1 << 62, 4 * time.Minute, 5 * time.Minute},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/", nil)
		r.ContentLength = row.bytes
		w := &deadlines{ResponseWriter: httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		if left < row.least || left > row.bound {
			t.Errorf("%s may take %s, want %s to %s", row.name, left, row.least, row.bound)
		}
		if answer := time.Until(w.write); answer < left {
			t.Errorf("%s may take %s, and its connection is cut in %s", row.name, left, answer)
		}
	}
}

// A panic shows nothing but a request id, under which the log has the rest,
// and the server goes on.
func TestPanicBecomesAProblem(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newServer(hclog.New(&hclog.LoggerOptions{Output: &log}))
	h := s.observe(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		admit(r, "token:test")
		panic("the cause")
	}))
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusInternalServerError || p.Code != "internal" || p.RequestId == nil {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "the cause") {
			t.Error("the client was told the cause")
		}
		if !strings.Contains(log.String(), *p.RequestId) || !strings.Contains(log.String(), "the cause") {
			t.Errorf("the log is\n%s", log.String())
		}
	}
}

// A bridge that is killed while it is answered is no fault of the account: its log has no error, and nothing is written
// behind the half of an answer.
func TestAClientThatDisconnectsIsNoFault(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newServer(hclog.New(&hclog.LoggerOptions{Output: &log}))
	// As the generated code does for each operation.
	answer := func(w http.ResponseWriter, r *http.Request, visit func(http.ResponseWriter) error) {
		if err := visit(w); err != nil {
			s.writeProblem(w, r, err)
		}
	}
	for name, visit := range map[string]func(http.ResponseWriter) error{
		"a person": encoded{body: []byte(`{}`)}.VisitGetPersonResponse,
		"the account": func(w http.ResponseWriter) error {
			return api.GetAccount200JSONResponse{}.VisitGetAccountResponse(w)
		},
		"a refusal": func(http.ResponseWriter) error { return malformed("", "no") },
	} {
		log.Reset()
		w := &gone{ResponseRecorder: httptest.NewRecorder()}
		s.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			admit(r, "bridge:test")
			answer(w, r, visit)
		})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		line := log.String()
		if !strings.Contains(line, "[INFO]  request:") || strings.Contains(line, "code=internal") ||
			!strings.Contains(line, `unsent="write tcp: write: broken pipe"`) {
			t.Errorf("%s: the log is\n%s", name, line)
		}
		if w.heads != 1 || w.writes != 1 {
			t.Errorf("%s: it was answered %d times, and its body written %d times", name, w.heads, w.writes)
		}
	}
}

// gone is the connection to a client that has disconnected.
type gone struct {
	*httptest.ResponseRecorder
	heads, writes int
}

func (g *gone) WriteHeader(int) { g.heads++ }

func (g *gone) Write([]byte) (int, error) {
	g.writes++
	return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
}

// A client without a secret gets no more time by announcing a large body.
func TestAStrangerGetsNoMoreTimeByAnnouncingMuch(t *testing.T) {
	t.Parallel()
	h := newServer(hclog.NewNullLogger()).observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.ContentLength = 64 << 20
	w := &deadlines{ResponseWriter: httptest.NewRecorder()}
	h.ServeHTTP(w, r)
	if body := time.Until(w.read); w.read.IsZero() || body > 5*time.Second {
		t.Errorf("the body may take %s", body)
	}
	if answer := time.Until(w.write); w.write.IsZero() || answer > timeout(0)+answering {
		t.Errorf("the answer may take %s", answer)
	}
}

// A log line for each request would let any client fill the disk. A request with
// a secret has one of its own, with what is known of it.
func TestTheLogOfStrangersDoesNotGrowWithTheirRequests(t *testing.T) {
	t.Parallel()
	for name, stranger := range map[string]func(*server, http.ResponseWriter, *http.Request){
		"is refused": func(s *server, w http.ResponseWriter, r *http.Request) {
			s.writeProblem(w, r, malformed("", "no"))
		},
		"is answered": func(_ *server, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		},
		"is refused by a page": func(_ *server, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
		},
		"meets a broken account": func(s *server, w http.ResponseWriter, r *http.Request) {
			s.writeProblem(w, r, errors.New("disk full"))
		},
		"makes it panic": func(*server, http.ResponseWriter, *http.Request) { panic("a fault") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s := newServer(hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace}))
			h := s.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { stranger(s, w, r) }))
			for range 1000 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(),
					strings.Repeat("M", 60_000), "/",
					nil))
			}
			if lines := strings.Count(log.String(), "request_id="); lines != 1 || log.Len() > 10_000 {
				t.Errorf("%d lines of %d bytes, want one:\n%.2000s", lines, log.Len(), log.String())
			}
		})
	}
}

func TestAMadeUpMethodIsNotLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newServer(hclog.New(&hclog.LoggerOptions{Output: &log})).observe(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		admit(r, "token:test")
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(),
		strings.Repeat("M", 60_000), "/", nil))
	if !strings.Contains(log.String(), "method=other") || log.Len() > 1000 {
		t.Errorf("the log is %d bytes: %.500s", log.Len(), log.String())
	}
}
