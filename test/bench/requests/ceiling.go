package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// ceilingCommand makes this program the ceiling's server.
const ceilingCommand = "ceiling"

// serveCeiling answers /N with N bytes, and does nothing else. It has the
// timeouts of the real servers, which cost timers.
func serveCeiling() {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench ceiling:", err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	constant := make([]byte, 64<<20)
	for i := range constant {
		constant[i] = 'x'
	}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 90 * time.Second,
		IdleTimeout: 2 * time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
			w.Header().Set("Content-Type", "application/scim+json")
			w.Header().Set("Content-Length", strconv.Itoa(n))
			_, _ = w.Write(constant[:min(n, len(constant))])
		}),
	}
	// It ends with the process that started it, whose pipe this is.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Fprintln(os.Stderr, server.Serve(l))
}

func startCeiling(ctx context.Context) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, ceilingCommand)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the ceiling: %w", err)
	}
	p := &process{name: "ceiling", cmd: cmd, end: func() { stdin.Close() }}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("starting the ceiling: %w", err)
	}
	p.address = strings.TrimSpace(address)
	return p, nil
}
