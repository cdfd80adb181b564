package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Server is a PostgreSQL server of this process, which ends with it, also if it is killed. It listens on a socket and
// on loopback, trusts everybody, and runs as the user postgres if this process is root's: the server refuses root.
type Server struct {
	Folder   string // of its data, its socket and its log
	Port     int
	settings []string
	as       *syscall.Credential
	process  *exec.Cmd
	ended    chan struct{}
}

// ErrMissing says that there is no PostgreSQL here.
var ErrMissing = errors.New("PostgreSQL is missing (apt-get install postgresql)")

// patience bounds every wait; only what is broken reaches it.
const patience = 2 * time.Minute

// New makes a database cluster in a new folder inside a folder, and starts its server. The settings are like
// fsync=off.
func New(ctx context.Context, inside string, port int, settings ...string) (*Server, error) {
	s, err := prepare(inside, port, settings)
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, "initdb", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8",
		"--username=postgres", "--pgdata="+s.data()); err != nil {
		return nil, err
	}
	return s, s.Start(ctx)
}

func prepare(inside string, port int, settings []string) (*Server, error) {
	s := &Server{Port: port, settings: settings}
	if os.Getuid() == 0 {
		id, err := userID("postgres")
		if err != nil {
			return nil, err
		}
		s.as = id
	}
	var err error
	if s.Folder, err = os.MkdirTemp(inside, "postgres-*"); err != nil {
		return nil, err
	}
	if s.as != nil {
		err = os.Chown(s.Folder, int(s.as.Uid), int(s.as.Gid))
	}
	return s, err
}

func (s *Server) data() string { return filepath.Join(s.Folder, "data") }

// Standby makes a copy of the server that follows it, at another port, and starts it.
func (s *Server) Standby(ctx context.Context, inside string, port int) (*Server, error) {
	standby, err := prepare(inside, port, s.settings)
	if err != nil {
		return nil, err
	}
	if err := standby.run(ctx, "pg_basebackup", "--dbname="+s.URL("postgres")+"?application_name=standby",
		"--pgdata="+standby.data(), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast",
		"--no-sync"); err != nil {
		return nil, err
	}
	return standby, standby.Start(ctx)
}

// Promote makes a standby a server that takes writes.
func (s *Server) Promote(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "promote", "--wait", "--pgdata="+s.data())
}

// URL is the address of a database for the user postgres.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: "127.0.0.1:" + strconv.Itoa(s.Port),
		Path: "/" + database}
	return u.String()
}

// Start starts the server, and returns once it answers. The children of one that was killed end a moment later, and
// until then there is no other.
func (s *Server) Start(ctx context.Context) error {
	for until := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := s.start(ctx, until)
		if err == nil || !strings.Contains(s.Log(), "is still in use") || time.Now().After(until) {
			return err
		}
	}
}

func (s *Server) start(ctx context.Context, until time.Time) error {
	program, err := program("postgres")
	if err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-k", s.Folder, "-p", strconv.Itoa(s.Port), "-h", "127.0.0.1"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(s.Folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	s.process.Stdout, s.process.Stderr, s.process.Dir = log, log, s.Folder
	s.process.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	endWithParent(s.process.SysProcAttr)
	s.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that starts a process for that of the parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.process.Start()
		started <- err
		if err == nil {
			_ = s.process.Wait()
			close(s.ended)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	for ; ; time.Sleep(20 * time.Millisecond) {
		err := s.run(ctx, "pg_isready", "--quiet", "--host="+s.Folder, "--port="+strconv.Itoa(s.Port))
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			err = errors.New("it has ended")
		default:
			if time.Now().Before(until) {
				continue
			}
		}
		return fmt.Errorf("starting PostgreSQL: %w\n%s", err, s.Log())
	}
}

// Stop ends the server as the signal says: SIGINT at once, SIGQUIT without a checkpoint, SIGKILL like a lost machine.
func (s *Server) Stop(how syscall.Signal) {
	if how == syscall.SIGKILL { // its children, too
		_ = syscall.Kill(-s.process.Process.Pid, how)
	} else {
		_ = s.process.Process.Signal(how)
	}
	<-s.ended
}

// Log returns the last lines of the server's log.
func (s *Server) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.Folder, "log"))
	lines := bytes.Split(text, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}

// Remove ends the server and removes its files.
func (s *Server) Remove() error {
	select {
	case <-s.ended:
	default:
		s.Stop(syscall.SIGQUIT)
	}
	return os.RemoveAll(s.Folder)
}

// run runs a program of PostgreSQL as the server's user.
func (s *Server) run(ctx context.Context, name string, args ...string) error {
	program, err := program(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = s.Folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// program returns the path of a program of PostgreSQL, of the newest version. Debian has them outside of PATH.
func program(name string) (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		version := func(path string) int {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
			return n
		}
		return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", ErrMissing
}

// FreePort returns a port of loopback at which nothing listens.
func FreePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
