package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Socket serves the control socket of one data folder. The bridge that
// serves is at control.SocketName; one in the wings is beside it until it
// takes over.
type Socket struct {
	DataDir string
	Front   *Front
	Gate    *Gate
	Status  func() control.Status
	Log     hclog.Logger
	// Replaced is called when another process has taken over.
	Replaced func()
	// Abandoned is called once, when nobody has asked this bridge anything for
	// Patience while it was on standby: whoever started it is gone, and will
	// not let it take over. A zero Patience means one minute.
	Abandoned func()
	Patience  time.Duration

	mu     sync.Mutex
	path   string      // where the socket lies now; "" when it is no longer ours
	file   os.FileInfo // of the socket
	wings  bool
	server *http.Server
	asked  time.Time // when a request came last
}

// Open makes the socket. With takeOver, and if a bridge runs in the folder,
// this one waits in the wings: inWings is true and nothing must be bound yet.
func (s *Socket) Open(ctx context.Context, takeOver bool) (inWings bool, err error) {
	main := filepath.Join(s.DataDir, control.SocketName)
	path := main
	if takeOver {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		switch _, err := control.Dial(main).Status(ctx); {
		case err == nil:
			path, inWings = control.WingsSocket(s.DataDir, os.Getpid()), true
		case !errors.Is(err, control.ErrNotRunning):
			return false, fmt.Errorf("looking for the bridge to take over from: %w", err)
		}
	}
	l, err := control.Listen(path)
	if errors.Is(err, control.ErrAlreadyRunning) {
		return false, fmt.Errorf("a bridge already runs in the data folder %q: stop it, or start this one with --take-over", s.DataDir)
	}
	if err != nil {
		return false, err
	}
	s.serve(l, path, inWings)
	return inWings, nil
}

func (s *Socket) serve(l net.Listener, path string, inWings bool) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+control.PathStatus, s.status)
	mux.HandleFunc("POST "+control.PathUnseal, s.unseal)
	mux.HandleFunc("POST "+control.PathTakeOver, s.takeOver)
	mux.HandleFunc("POST "+control.PathHandOver, s.handOver)
	server := &http.Server{Handler: s.heard(mux), ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	file, err := os.Lstat(path)
	if err != nil {
		s.Log.Warn("the control socket is gone already", "error", err)
	}
	s.mu.Lock()
	s.path, s.file, s.wings, s.server, s.asked = path, file, inWings, server, time.Now()
	s.mu.Unlock()
	if inWings {
		go s.watch()
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.Log.Error("the control socket has ended", "error", err)
		}
	}()
}

// heard notes that somebody is there.
func (s *Socket) heard(next http.Handler) http.Handler {
	note := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = time.Now()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note()
		defer note()
		next.ServeHTTP(w, r)
	})
}

// watch ends the standby when nobody has asked for too long. Whoever deploys
// asks many times a second, as long as it lives.
func (s *Socket) watch() {
	patience := cmp.Or(s.Patience, time.Minute)
	for {
		s.mu.Lock() // which a take-over holds while it lasts
		silent := time.Since(s.asked)
		if !s.wings || s.path == "" { // it serves now, or ends
			s.mu.Unlock()
			return
		}
		if silent >= patience {
			s.wings = false // from here on, it is too late to take over
			s.mu.Unlock()
			s.Abandoned()
			return
		}
		s.mu.Unlock()
		time.Sleep(patience - silent)
	}
}

// OnStandby reports whether this bridge waits until it is told to take over.
func (s *Socket) OnStandby() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wings
}

// Close ends the server and removes the socket, unless it now belongs to the
// bridge that took over.
func (s *Socket) Close(ctx context.Context) {
	s.mu.Lock()
	path, file, server := s.path, s.file, s.server
	s.path = ""
	s.mu.Unlock()
	if server == nil {
		return
	}
	if err := server.Shutdown(ctx); err != nil {
		server.Close()
	}
	if path == "" {
		return
	}
	// The folder may have been moved, and another bridge may run in the one that lies there now.
	if there, err := os.Lstat(path); err != nil || file == nil || !os.SameFile(file, there) {
		return
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Log.Warn("the control socket could not be removed", "error", err)
	}
}

func (s *Socket) status(w http.ResponseWriter, _ *http.Request) {
	reply(w, s.Status())
}

func (s *Socket) unseal(w http.ResponseWriter, r *http.Request) {
	var in control.Token
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil {
		// Not the error's text: it may quote the token.
		decline(w, &control.Refusal{Status: http.StatusBadRequest, Detail: "the request is not the JSON that is expected"})
		return
	}
	if err := s.Gate.Admit(r.Context(), in.Token); err != nil {
		decline(w, err)
		return
	}
	reply(w, s.Status())
}

// takeOver is answered by a bridge in the wings.
func (s *Socket) takeOver(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock() // once is enough
	if !s.wings {
		decline(w, &control.Refusal{Status: http.StatusConflict, Detail: "this bridge serves already, or is about to end; only one started with --take-over beside another waits in the wings"})
		return
	}
	main := filepath.Join(s.DataDir, control.SocketName)
	rename := func() error {
		if err := os.Rename(s.path, main); err != nil {
			return fmt.Errorf("taking the control socket's name: %w", err)
		}
		s.path, s.wings = main, false
		return nil
	}
	err := control.Receive(r.Context(), main, func(l net.Listener) error {
		if err := s.Front.Inherit(r.Context(), l); err != nil {
			return err
		}
		return rename()
	})
	if errors.Is(err, control.ErrNotRunning) { // the old one has ended meanwhile
		if err = s.Front.Listen(r.Context()); err == nil {
			err = rename()
		}
	}
	if err != nil {
		s.Log.Error("taking over has failed; the old bridge goes on", "error", err)
		decline(w, &control.Refusal{Status: http.StatusInternalServerError, Detail: err.Error()})
		return
	}
	s.Log.Info("took over from the bridge that ran before")
	w.WriteHeader(http.StatusNoContent)
}

// handOver is answered by the bridge that serves, asked by the one in the wings.
func (s *Socket) handOver(w http.ResponseWriter, _ *http.Request) {
	if s.Front.Draining() {
		decline(w, &control.Refusal{Status: http.StatusConflict, Detail: "this bridge is about to end"})
		return
	}
	if err := s.Front.HandOver(w); err != nil {
		s.Log.Error("handing over has failed; this bridge goes on", "error", err)
		// Nothing was written unless the connection is gone already.
		decline(w, &control.Refusal{Status: http.StatusConflict, Detail: err.Error()})
		return
	}
	s.mu.Lock()
	s.path = "" // the name is the newcomer's
	s.mu.Unlock()
	s.Log.Info("handed over to a newer bridge")
	s.Replaced()
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // fails only when the asker is gone
}

func decline(w http.ResponseWriter, err error) {
	refusal, ok := errors.AsType[*control.Refusal](err)
	if !ok {
		refusal = &control.Refusal{Status: http.StatusInternalServerError, Detail: err.Error()}
	}
	if refusal.Code == problem.SessionUnreadable {
		refusal.Status = http.StatusConflict
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refusal.Status)
	_ = json.NewEncoder(w).Encode(refusal)
}
