package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// A ControlSocket serves the control socket of one data folder. The serving bridge is at
// control.SocketName, one on standby at control.StandbySocket until it takes over.
type ControlSocket struct {
	DataDir       string
	Listener      *Listener
	Authenticator *Authenticator
	Status        func() control.Status
	Journal       *journal.Journal // may be nil
	Bundles       *bundle.Builder
	Explain       Explain
	Holds         bridge.Holds
	Log           hclog.Logger
	// OnReload does what SIGHUP asks for.
	OnReload func(context.Context, control.Reload) error
	// OnSeal seals the bridge.
	OnSeal func() error
	// OnReplaced is called when another process has taken over.
	OnReplaced func()
	// OnAbandoned is called once, when this bridge on standby has had no request for
	// StandbyTimeout: the process that started it has ended. A zero StandbyTimeout means
	// one minute.
	OnAbandoned    func()
	StandbyTimeout time.Duration

	// handingOver is held while the listener is handed over: of two bridges that
	// ask for it at once, the second finds this one draining.
	handingOver sync.Mutex

	mu      sync.Mutex
	path    string      // of the socket; "" after it was handed over
	file    os.FileInfo // of the socket
	standby bool
	server  *http.Server
	latest  time.Time // of the last request
}

// Open creates the socket. With takeOver, and if a bridge uses the folder, this one is on
// standby: then isStandby is true, and the caller must not listen yet.
func (s *ControlSocket) Open(ctx context.Context, takeOver bool) (isStandby bool, err error) {
	main := filepath.Join(s.DataDir, control.SocketName)
	path := main
	if takeOver {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		switch _, err := control.Dial(main).Status(ctx); {
		case err == nil:
			path, isStandby = control.StandbySocket(s.DataDir, os.Getpid()), true
		case !errors.Is(err, control.ErrNotRunning):
			return false, fmt.Errorf("looking for the bridge to take over from: %w", err)
		}
	}
	l, err := control.Listen(path)
	if errors.Is(err, control.ErrAlreadyRunning) {
		return false, fmt.Errorf("a bridge already runs in the data folder %q: stop it, "+
			"or start this one with --take-over",
			s.DataDir)
	}
	if err != nil {
		return false, err
	}
	s.serve(l, path, isStandby)
	return isStandby, nil
}

func (s *ControlSocket) serve(l net.Listener, path string, isStandby bool) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+control.PathStatus, s.status)
	mux.HandleFunc("POST "+control.PathUnseal, s.unseal)
	mux.HandleFunc("POST "+control.PathSeal, s.seal)
	mux.HandleFunc("POST "+control.PathReload, s.reload)
	mux.HandleFunc("POST "+control.PathJournal, s.journal)
	mux.HandleFunc("GET "+control.PathBundle, s.supportBundle)
	mux.Handle("POST "+control.PathExplain, s.Explain)
	mux.HandleFunc("POST "+control.PathHolds, s.holds)
	mux.HandleFunc("POST "+control.PathDecide, s.decideHolds)
	mux.HandleFunc("POST "+control.PathTakeOver, s.takeOver)
	mux.HandleFunc("POST "+control.PathHandOver, s.handOver)
	server := &http.Server{
		Handler: s.noteRequests(mux), ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	file, err := os.Lstat(path)
	if err != nil {
		s.Log.Warn("the control socket does not exist any more", "error", err)
	}
	s.mu.Lock()
	s.path, s.file, s.standby, s.server, s.latest = path, file, isStandby, server, time.Now()
	s.mu.Unlock()
	if isStandby {
		go s.watch()
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.Log.Error("the control socket has ended", "error", err)
		}
	}()
}

// noteRequests records the time of the latest request, and of its end.
func (s *ControlSocket) noteRequests(next http.Handler) http.Handler {
	note := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.latest = time.Now()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note()
		defer note()
		next.ServeHTTP(w, r)
	})
}

// watch ends the standby after StandbyTimeout without a request. A running deployment sends
// many requests a second.
func (s *ControlSocket) watch() {
	timeout := cmp.Or(s.StandbyTimeout, time.Minute)
	for {
		s.mu.Lock() // held during a take-over
		silent := time.Since(s.latest)
		if !s.standby || s.path == "" { // it serves or ends
			s.mu.Unlock()
			return
		}
		if silent >= timeout {
			s.standby = false // it can no longer take over
			s.mu.Unlock()
			s.OnAbandoned()
			return
		}
		s.mu.Unlock()
		time.Sleep(timeout - silent)
	}
}

// IsStandby reports whether this bridge is on standby.
func (s *ControlSocket) IsStandby() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.standby
}

// Close ends the server and removes the socket, unless it belongs to the successor.
func (s *ControlSocket) Close(ctx context.Context) {
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
	// The folder may have been moved, and another one with a bridge may have its path.
	if there, err := os.Lstat(path); err != nil || file == nil || !os.SameFile(file, there) {
		return
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Log.Warn("could not remove the control socket", "error", err)
	}
}

func (s *ControlSocket) status(w http.ResponseWriter, _ *http.Request) {
	writeAnswer(w, s.Status())
}

func (s *ControlSocket) unseal(w http.ResponseWriter, r *http.Request) {
	var in control.Token
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil {
		// Without the error's text, which may quote the token.
		writeError(w, &control.Error{Status: http.StatusBadRequest, Detail: "the request is not the expected JSON"})
		return
	}
	if err := s.Authenticator.Verify(r.Context(), in.Token); err != nil {
		writeError(w, err)
		return
	}
	writeAnswer(w, s.Status())
}

func (s *ControlSocket) seal(w http.ResponseWriter, _ *http.Request) {
	if err := s.OnSeal(); err != nil {
		writeError(w, err)
		return
	}
	writeAnswer(w, s.Status())
}

func (s *ControlSocket) journal(w http.ResponseWriter, r *http.Request) {
	var f journal.Filter
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<10)).Decode(&f); err != nil {
		writeError(w, &control.Error{Status: http.StatusBadRequest, Detail: "the request is not the expected JSON"})
		return
	}
	page, err := s.Journal.Read(f)
	if wrong, ok := errors.AsType[*journal.FilterError](err); ok {
		err = &control.Error{Status: http.StatusBadRequest, Detail: wrong.Detail}
	}
	if err != nil {
		writeError(w, err)
		return
	}
	writeAnswer(w, page)
}

func (s *ControlSocket) reload(w http.ResponseWriter, r *http.Request) {
	var in control.Reload
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<10)).Decode(&in)
	if err != nil && !errors.Is(err, io.EOF) { // a body is optional; the error's text may quote a token
		writeError(w, &control.Error{Status: http.StatusBadRequest, Detail: "the request is not the expected JSON"})
		return
	}
	if err := s.OnReload(r.Context(), in); err != nil {
		writeError(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// bundleTimeout is how long it may take to make and send a support bundle.
const bundleTimeout = 5 * time.Minute

// supportBundle needs no token: who reaches the socket can read the data folder.
func (s *ControlSocket) supportBundle(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(bundleTimeout))
	made, err := s.Bundles.Build(r.Context(), true)
	if errors.Is(err, bundle.ErrBusy) {
		err = &control.Error{Status: http.StatusServiceUnavailable, Detail: err.Error()}
	}
	if err != nil {
		writeError(w, err)
		return
	}
	defer made.Close()
	s.Log.Info("a support bundle was made over the control socket")
	s.Journal.Append(journal.Event{Kind: journal.BundleMade})
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Length", strconv.FormatInt(made.Size, 10))
	_, _ = io.Copy(w, made) // fails only if the client has disconnected
}

// maxHolds bounds a page of what is held.
const maxHolds = 1000

func (s *ControlSocket) holds(w http.ResponseWriter, r *http.Request) {
	var q control.HoldsQuery
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<10)).Decode(&q); err != nil {
		writeError(w, &control.Error{Status: http.StatusBadRequest, Detail: "the request is not the expected JSON"})
		return
	}
	page, err := s.Holds.Holds(r.Context(), q.Cursor, min(max(q.Limit, 1), maxHolds))
	if err != nil {
		writeError(w, toHoldsError(err))
		return
	}
	writeAnswer(w, page)
}

// decideTimeout is how long it may take to carry out what is held.
const decideTimeout = 30 * time.Minute

// decideHolds needs no token: who reaches the socket can write the data folder.
func (s *ControlSocket) decideHolds(w http.ResponseWriter, r *http.Request) {
	var d bridge.HoldDecision
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&d); err != nil ||
		(len(d.IDs) == 0) == d.Until.IsZero() {
		writeError(w, &control.Error{Status: http.StatusBadRequest, Detail: "the request is not the expected JSON"})
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(decideTimeout))
	decided, err := s.Holds.DecideHolds(r.Context(), d)
	if decided > 0 {
		e := journal.Event{Kind: journal.HoldsCancelled, Count: decided}
		if d.Approve {
			e.Kind = journal.HoldsApproved
		}
		s.Journal.Append(e)
	}
	answer := control.HoldsDecided{Decided: decided}
	switch {
	case err != nil && decided == 0:
		writeError(w, toHoldsError(err))
		return
	case err != nil:
		answer.Refused = toHoldsError(err).Detail
	}
	writeAnswer(w, answer)
}

// toHoldsError is what an operator is told of an error of Holds.
func toHoldsError(err error) *control.Error {
	e := &control.Error{Status: http.StatusConflict, Detail: err.Error()}
	if refusal, ok := errors.AsType[*bridge.Error](err); ok {
		e.Detail = refusal.Detail
	} else if errors.Is(err, bridge.ErrUnavailable) {
		e.Status = http.StatusServiceUnavailable
	}
	return e
}

// takeOver makes a bridge on standby take over.
func (s *ControlSocket) takeOver(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock() // of two requests the second finds that it serves
	if !s.standby {
		writeError(w, &control.Error{
			Status: http.StatusConflict,
			Detail: "this bridge serves already or is shutting down; " +
				"only one started with --take-over beside another waits on standby",
		})
		return
	}
	main := filepath.Join(s.DataDir, control.SocketName)
	rename := func() error {
		if err := os.Rename(s.path, main); err != nil {
			return fmt.Errorf("taking the control socket's name: %w", err)
		}
		s.path, s.standby = main, false
		return nil
	}
	err := control.Receive(r.Context(), main, func(l net.Listener) error {
		if err := s.Listener.ServeInherited(r.Context(), l); err != nil {
			return err
		}
		return rename()
	})
	if errors.Is(err, control.ErrNotRunning) { // the old one has ended meanwhile
		if err = s.Listener.Listen(r.Context()); err == nil {
			err = rename()
		}
	}
	if err != nil {
		s.Log.Error("could not take over; the old bridge continues to serve", "error", err)
		writeError(w, &control.Error{Status: http.StatusInternalServerError, Detail: err.Error()})
		return
	}
	s.Log.Info("took over from the old bridge")
	s.Journal.Append(journal.Event{Kind: journal.TookOver, PID: os.Getpid()})
	w.WriteHeader(http.StatusNoContent)
}

// handOver passes the listening socket of the serving bridge to the one on standby.
func (s *ControlSocket) handOver(w http.ResponseWriter, _ *http.Request) {
	s.handingOver.Lock()
	defer s.handingOver.Unlock()
	if s.Listener.Draining() {
		writeError(w, &control.Error{Status: http.StatusConflict, Detail: "this bridge is shutting down"})
		return
	}
	if err := s.Listener.HandOver(w); err != nil {
		s.Log.Error("could not hand over; this bridge continues to serve", "error", err)
		// Nothing was written, unless the connection is broken.
		writeError(w, &control.Error{Status: http.StatusConflict, Detail: err.Error()})
		return
	}
	s.mu.Lock()
	s.path = "" // it belongs to the successor
	s.mu.Unlock()
	s.Log.Info("handed over to a newer bridge")
	s.Journal.Append(journal.Event{Kind: journal.HandedOver, PID: os.Getpid()})
	s.OnReplaced()
}

func writeAnswer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // fails only if the client has disconnected
}

// writeError answers with an error in the form of the control socket.
func writeError(w http.ResponseWriter, err error) {
	answer := toControlError(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Status)
	_ = json.NewEncoder(w).Encode(answer)
}

func toControlError(err error) *control.Error {
	if answer, ok := errors.AsType[*control.Error](err); ok {
		return answer
	}
	refusal, ok := errors.AsType[*auth.Error](err)
	if !ok {
		return &control.Error{Status: http.StatusInternalServerError, Detail: err.Error()}
	}
	answer := &control.Error{
		Status: statusOf(refusal), Code: refusal.Code(), Detail: refusal.Detail, Reason: refusal.Reason,
		Previous: refusal.Kind == auth.Superseded, Expired: refusal.Expired,
	}
	if refusal.Kind == auth.Unreadable {
		answer.Status = http.StatusConflict
	}
	return answer
}
