package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// startPostgres is startTwo over PostgreSQL, with a copy of the account that dev has made. The server has its own
// defaults: a commit is on disk. The account reaches it through a counter of exchanges.
func (s *site) startPostgres(ctx context.Context) error {
	port, err := postgres.FreePort(ctx)
	if err != nil {
		return err
	}
	if s.postgres, err = postgres.New(ctx, os.TempDir(), port); err != nil {
		return err
	}
	address := s.postgres.URL("postgres")
	untold := func(store.CopyStep, int64, int64) {}
	if _, err := store.Copy(ctx, "sqlite:"+s.database(), address, false, untold); err != nil {
		return err
	}
	server := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if s.counter, err = newCounter(ctx, server); err != nil {
		return err
	}
	return s.startApart(ctx, "postgres", strings.Replace(address, server, s.counter.listener.Addr().String(), 1))
}

// A counter hands connections on, and counts how often a client sends: an exchange is what it sends before it waits.
type counter struct {
	listener net.Listener
	sent     atomic.Int64
}

func newCounter(ctx context.Context, server string) (*counter, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{listener: listener}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(ctx, client, server)
		}
	}()
	return c, nil
}

func (c *counter) serve(ctx context.Context, client net.Conn, server string) {
	defer client.Close()
	database, err := new(net.Dialer).DialContext(ctx, "tcp", server)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: reaching PostgreSQL:", err)
		return
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
