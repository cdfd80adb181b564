package httpkit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

func TestWhatTheAccessLogTells(t *testing.T) {
	t.Parallel()
	admitted := func(next func(http.ResponseWriter, *httpkit.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			httpkit.Admit(r.Context())
			next(w, httpkit.RequestFrom(r.Context()))
		}
	}
	stranger := func(next func(http.ResponseWriter, *httpkit.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { next(w, httpkit.RequestFrom(r.Context())) }
	}
	for _, row := range []struct {
		name     string
		handler  http.HandlerFunc
		requests int
		lines    int
		want     string
	}{
		{"each request with a secret has a line", admitted(func(w http.ResponseWriter, _ *httpkit.Request) {
			_, _ = io.WriteString(w, "ok")
		}),
			3, 3, "[INFO]  request: status=200 bytes=2"},
		{"a quiet request is for debugging", admitted(func(_ http.ResponseWriter, x *httpkit.Request) {
			x.Quiet = true
		}),
			1, 1, "[DEBUG] request: status=200"},
		{"a quiet request that is refused is not", admitted(func(w http.ResponseWriter, x *httpkit.Request) {
			x.Quiet = true
			w.WriteHeader(http.StatusForbidden)
		}),
			1, 1, "[INFO]  request: status=403"},
		{"an internal error is told with its cause", admitted(func(w http.ResponseWriter, x *httpkit.Request) {
			x.Cause = errors.New("disk full")
			w.WriteHeader(http.StatusServiceUnavailable)
		}), 2, 2, `[ERROR] request failed: status=503 bytes=0 error="disk full"`},
		{"a panic is answered and told", admitted(func(http.ResponseWriter, *httpkit.Request) { panic("a fault") }),
			1, 1, "[ERROR] request failed: status=500"},
		{"a panic within an answer leaves that as it is", admitted(func(w http.ResponseWriter, _ *httpkit.Request) {
			w.WriteHeader(http.StatusCreated)
			panic("a fault")
		}), 1, 1, "[ERROR] request failed: status=201 bytes=0"},
		{"strangers' requests have one line", stranger(func(w http.ResponseWriter, x *httpkit.Request) {
			x.Code = "token_missing"
			w.WriteHeader(http.StatusUnauthorized)
		}), 100, 1, "[INFO]  requests without a valid secret were refused: kind=token_missing count=1"},
		{"strangers' panics have one line", stranger(func(http.ResponseWriter, *httpkit.Request) { panic("a fault") }),
			100, 1, "[ERROR] request failed: kind=failed count=1"},
		{"a refusal that was counted is not counted again", stranger(func(w http.ResponseWriter, x *httpkit.Request) {
			x.Counted = true
			w.WriteHeader(http.StatusUnauthorized)
		}), 3, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			logger := hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Trace})
			access := httpkit.AccessLog{
				Logger: logger, Events: httpkit.NewEventLog(logger), Metrics: httpkit.NewMetrics("test"),
				Line: func(_ *http.Request, _ *httpkit.Request, a httpkit.Answer) []any {
					return []any{"status", a.Status, "bytes", a.Bytes}
				},
				Internal: func(w http.ResponseWriter, _ *http.Request, _ error) {
					http.Error(w, "internal", http.StatusInternalServerError)
				},
			}
			h := access.Handler(row.handler)
			for range row.requests {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
				if w.Header().Get("X-Request-Id") == "" {
					t.Error("the client was not told the id of its request")
				}
			}
			lines := strings.Count(out.String(), "status=")
			if lines != row.lines || !strings.Contains(out.String(), row.want) {
				t.Errorf("%d lines, want %d with %q:\n%s", lines, row.lines, row.want, out.String())
			}
		})
	}
}

// A client that disconnects, or is too slow, is no fault of the server, but a handler that writes what it must not is.
func TestAnAnswerThatIsNotSentIsTold(t *testing.T) {
	t.Parallel()
	broken := &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
	for _, row := range []struct {
		name   string
		err    error
		quiet  bool
		unsent error
		want   string
	}{
		{"a connection that is gone", broken, false, broken, "[INFO]  request: status=200 bytes=2 unsent="},
		{"a quiet request", broken, true, broken, "[DEBUG] request: status=200 bytes=2 unsent="},
		{"a client that is too slow", os.ErrDeadlineExceeded, false, os.ErrDeadlineExceeded, `unsent="i/o timeout"`},
		{"a body that must not be", http.ErrBodyNotAllowed, false, nil, "[INFO]  request: status=200 bytes=2\n"},
		{"a body that is too long", http.ErrContentLength, false, nil, "[INFO]  request: status=200 bytes=2\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			logger := hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Trace})
			access := httpkit.AccessLog{
				Logger: logger, Metrics: httpkit.NewMetrics("test"),
				Line: func(_ *http.Request, _ *httpkit.Request, a httpkit.Answer) []any {
					return []any{"status", a.Status, "bytes", a.Bytes}
				},
			}
			access.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				httpkit.Admit(r.Context())
				x := httpkit.RequestFrom(r.Context())
				x.Quiet = row.quiet
				for range 2 {
					if _, err := io.WriteString(w, "answer"); !errors.Is(err, row.err) {
						t.Errorf("Write: %v, want %v", err, row.err)
					}
				}
				if !errors.Is(x.Unsent, row.unsent) {
					t.Errorf("unsent: %v, want %v", x.Unsent, row.unsent)
				}
			})).ServeHTTP(&leaving{ResponseWriter: httptest.NewRecorder(), room: 2, err: row.err},
				httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			if !strings.Contains(out.String(), row.want) {
				t.Errorf("got %swant %s", out.String(), row.want)
			}
		})
	}
}

// What follows from a client that has disconnected is no internal error.
func TestWhatIsAnInternalError(t *testing.T) {
	t.Parallel()
	broken, full := syscall.EPIPE, errors.New("disk full")
	for name, row := range map[string]struct {
		unsent, fail, cause error
	}{
		"an error":                            {nil, full, full},
		"the client has disconnected":         {nil, fmt.Errorf("reading: %w", context.Canceled), nil},
		"the answer could not be sent":        {broken, fmt.Errorf("writing: %w", broken), nil},
		"something else, when it could not":   {broken, full, nil},
		"the time that a request has is over": {nil, context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		x := &httpkit.Request{Unsent: row.unsent}
		x.Fail(row.fail)
		if !errors.Is(x.Cause, row.cause) || (x.Unsent != nil) != (row.cause == nil) {
			t.Errorf("%s: the cause is %v, and unsent %v", name, x.Cause, x.Unsent)
		}
	}
}

// leaving takes so many bytes of an answer.
type leaving struct {
	http.ResponseWriter
	room int
	err  error
}

func (l *leaving) Write(p []byte) (int, error) {
	n := min(len(p), l.room)
	l.room -= n
	return n, l.err
}

// A log that keeps what its level does not show would keep them, too.
func TestQuietRequestsHaveNoLineWhereNobodyWantsIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Trace})
	access := httpkit.AccessLog{
		Logger: logger, Events: httpkit.NewEventLog(logger), Metrics: httpkit.NewMetrics("test"), WithoutQuiet: true,
		Line: func(_ *http.Request, _ *httpkit.Request, a httpkit.Answer) []any { return []any{"status", a.Status} },
	}
	for _, row := range []struct {
		status int
		cause  error
		want   string
	}{
		{http.StatusOK, nil, ""},
		{http.StatusNotModified, nil, ""},
		{http.StatusConflict, nil, "[INFO]  request: status=409"},
		{http.StatusServiceUnavailable, errors.New("disk full"), "[ERROR] request failed: status=503"},
	} {
		out.Reset()
		access.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			httpkit.Admit(r.Context())
			x := httpkit.RequestFrom(r.Context())
			x.Quiet, x.Cause = true, row.cause
			w.WriteHeader(row.status)
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		if got := out.String(); (got == "") != (row.want == "") || !strings.Contains(got, row.want) {
			t.Errorf("a %d is logged as %q, want %q", row.status, got, row.want)
		}
	}
}

// A handler that panics with [http.ErrAbortHandler] wants the connection cut.
func TestAnAbortedHandlerIsLeftToTheServer(t *testing.T) {
	t.Parallel()
	log := hclog.NewNullLogger()
	access := httpkit.AccessLog{Logger: log, Events: httpkit.NewEventLog(log), Metrics: httpkit.NewMetrics("test")}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the value itself is what net/http compares
			t.Errorf("the handler ended with %v", p)
		}
	}()
	h := access.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
}

// The method of a pattern has a label of its own.
func TestTheRouteOfMetricsHasNoMethod(t *testing.T) {
	t.Parallel()
	log := hclog.NewNullLogger()
	access := httpkit.AccessLog{Logger: log, Events: httpkit.NewEventLog(log), Metrics: httpkit.NewMetrics("test")}
	for _, route := range []string{"GET /v1/x/{id}", "/ping", "users"} {
		access.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			httpkit.RequestFrom(r.Context()).Route = route
		})).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	}
	w := httptest.NewRecorder()
	access.Metrics.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, want := range []string{`route="/v1/x/{id}",status="200"} 1`, `route="/ping",`, `route="users",`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}
