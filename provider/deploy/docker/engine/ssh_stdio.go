package engine

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// dialStdio returns a connection to the socket by the docker command on the other machine.
func dialStdio(client *ssh.Client, at endpoint) (net.Conn, error) {
	session, err := client.NewSession()
	if err != nil {
		return nil, innermost(err)
	}
	c := &stdio{session: session, at: at, user: client.User()}
	session.Stderr = &c.stderr
	c.in, err = session.StdinPipe()
	if err == nil {
		c.out, err = session.StdoutPipe()
	}
	if err == nil {
		err = session.Start("docker --host " + quoteShell("unix://"+at.socketPath()) + " system dial-stdio")
	}
	if err != nil {
		session.Close()
		return nil, innermost(err)
	}
	return c, nil
}

// A stdio is a connection over the standard input and output of a command.
type stdio struct {
	session *ssh.Session
	at      endpoint
	user    string
	in      io.WriteCloser
	out     io.Reader
	stderr  limitedBuffer

	read bool // something was read
}

func (c *stdio) Read(b []byte) (int, error) {
	n, err := c.out.Read(b)
	c.read = c.read || n > 0
	if errors.Is(err, io.EOF) && !c.read {
		// The command is missing, or it cannot connect.
		if c.session.Wait() != nil { // which waits for all of the output, too
			said := cmp.Or(c.stderr.String(), "it says nothing")
			return n, explainForwarding(c.at, c.user, "`docker system dial-stdio` fails there: "+said)
		}
	}
	return n, err
}

func (c *stdio) Write(b []byte) (int, error) { return c.in.Write(b) }

func (c *stdio) CloseWrite() error { return c.in.Close() }

func (c *stdio) Close() error {
	err := c.session.Close()
	if errors.Is(err, io.EOF) { // it has ended already
		return nil
	}
	return err
}

func (c *stdio) LocalAddr() net.Addr  { return &net.UnixAddr{Net: "unix", Name: "@"} }
func (c *stdio) RemoteAddr() net.Addr { return &net.UnixAddr{Net: "unix", Name: c.at.socketPath()} }

var errNoDeadline = errors.New("a command's output has no deadline")

func (*stdio) SetDeadline(time.Time) error      { return errNoDeadline }
func (*stdio) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (*stdio) SetWriteDeadline(time.Time) error { return errNoDeadline }

// A limitedBuffer keeps the beginning of what is written to it.
type limitedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := 1000 - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (b *limitedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(strings.Fields(b.buf.String()), " ")
}
