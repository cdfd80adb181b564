package postgres

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// A Counter hands connections on to a server, and counts how often the clients send: an exchange is what a client sends
// before it waits. One that sends more than a socket takes at once counts as several.
type Counter struct {
	server   *Server
	listener net.Listener
	sent     atomic.Int64
}

// Count returns a Counter in front of the server. It ends with Close.
func (s *Server) Count(ctx context.Context) (*Counter, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Counter{server: s, listener: listener}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(context.WithoutCancel(ctx), client)
		}
	}()
	return c, nil
}

// URL is the address of a database by way of the counter.
func (c *Counter) URL(database string) string {
	return strings.Replace(c.server.URL(database), c.server.address(), c.listener.Addr().String(), 1)
}

// Sent is how often clients have sent.
func (c *Counter) Sent() int64 { return c.sent.Load() }

// Close takes no more connections. Those that there are stay.
func (c *Counter) Close() error { return c.listener.Close() }

func (s *Server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func (c *Counter) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	database, err := new(net.Dialer).DialContext(ctx, "tcp", c.server.address())
	if err != nil {
		return // as the client sees
	}
	defer database.Close()
	go func() {
		defer client.Close()
		_, _ = io.Copy(client, database)
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		c.sent.Add(1)
		if _, err := database.Write(buffer[:n]); err != nil {
			return
		}
	}
}
