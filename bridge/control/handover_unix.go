//go:build unix

package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A hand-over keeps the listening socket open while the process changes, so that no
// connection is refused. Both ends speak HTTP until 101, then bytes: the successor sends
// 'l', the bridge answers one byte that carries the listener (SCM_RIGHTS), the successor
// serves on it and sends 's'. Only then does the old bridge drain. If a step fails before,
// it continues to serve.
const (
	listenerWanted  = 'l'
	listenerSent    = 'L'
	successorServes = 's'
	handOverTimeout = 10 * time.Second
)

// HandOver answers a PathHandOver request with l. It returns nil when the successor serves,
// and an error when this process must continue to serve.
func HandOver(w http.ResponseWriter, l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("a %T cannot be handed over", l)
	}
	// Not tcp.File: asking that for its descriptor makes the socket blocking,
	// for this process too.
	raw, err := tcp.SyscallConn()
	if err != nil {
		return fmt.Errorf("getting the descriptor of the listening socket: %w", err)
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("taking over the control connection: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(handOverTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
		"Upgrade: listener\r\n\r\n"); err != nil {
		return err
	}
	if err := expect(rw.Reader, listenerWanted); err != nil {
		return err
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("a listener cannot be handed over a %T", conn)
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		_, _, sent = unixConn.WriteMsgUnix([]byte{listenerSent}, unix.UnixRights(int(fd)), nil)
	})
	if err := errors.Join(err, sent); err != nil {
		return fmt.Errorf("sending the listening socket: %w", err)
	}
	return expect(rw.Reader, successorServes)
}

// Receive asks the bridge at socketPath for its listener. It calls serve with it, which
// must start serving and return; when it returns nil, the old bridge is told to drain.
// ErrNotRunning means that no bridge answers there.
func Receive(ctx context.Context, socketPath string, serve func(net.Listener) error) error {
	conn, err := dial(ctx, socketPath)
	if err != nil {
		return notRunning(socketPath, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(handOverTimeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://bridge"+PathHandOver, http.NoBody)
	if err != nil {
		return err
	}
	if err := req.Write(conn); err != nil {
		return fmt.Errorf("asking the running bridge for its listener: %w", err)
	}
	// The reader sees nothing beyond the 101: the bridge sends the listener
	// only after it was asked once more, and by then the connection is read
	// with ReadMsgUnix, which alone keeps the descriptor.
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return fmt.Errorf("asking the running bridge for its listener: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the running bridge does not hand over its listener: it answered %s", resp.Status)
	}
	if _, err := conn.Write([]byte{listenerWanted}); err != nil {
		return err
	}
	l, err := readListener(conn)
	if err != nil {
		return err
	}
	if err := serve(l); err != nil {
		l.Close()
		return err
	}
	_, err = conn.Write([]byte{successorServes})
	return err
}

func readListener(conn *net.UnixConn) (net.Listener, error) {
	b, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(b, oob)
	if err != nil {
		return nil, fmt.Errorf("receiving the listening socket: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || n != 1 || b[0] != listenerSent || len(messages) != 1 {
		return nil, errors.New("the running bridge did not send its listener")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("the running bridge did not send its listener")
	}
	unix.CloseOnExec(fds[0])
	file := os.NewFile(uintptr(fds[0]), "listener")
	defer file.Close()
	return net.FileListener(file)
}

func expect(r io.ByteReader, want byte) error {
	got, err := r.ReadByte()
	if err != nil {
		return fmt.Errorf("the successor disconnected: %w", err)
	}
	if got != want {
		return fmt.Errorf("the successor sent %q instead of %q", got, want)
	}
	return nil
}
