package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A request is one that a connection sends next.
type request struct {
	method, path string
	body         []byte
}

// A driver keeps a number of connections busy for a time.
type driver struct {
	address, bearer string
	connections     int
	time            time.Duration
	next            func() request // called by all connections at once
	want            int            // status, or anySuccess
	unit            int            // operations in a request
	servers         []*process
	allocations     func() (uint64, error) // nil if nobody counts them
	exchanges       func() int64           // with a database server so far; nil if there is none
}

// anySuccess is a status of 2xx.
const anySuccess = 0

// A measurement is what one run of a driver came to.
type measurement struct {
	rate     float64 // operations a second
	p50, p99 time.Duration
	cpu      time.Duration // of the servers, for one operation
	allocs   float64       // for one operation
	trips    float64       // exchanges with a database server, for one operation
	bytes    int           // of an answer's body
}

func drive(ctx context.Context, d driver) (m measurement, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.time+2*time.Minute)
	defer cancel()
	conns := make([]*connection, d.connections)
	for i := range conns {
		if conns[i], err = dial(ctx, d); err != nil {
			return m, err
		}
		defer conns[i].Close()
		if err := conns[i].ask(d); err != nil { // warm, and not counted
			return m, err
		}
		conns[i].latencies = conns[i].latencies[:0]
	}
	var allocs uint64
	if d.allocations != nil {
		if allocs, err = d.allocations(); err != nil {
			return m, err
		}
	}
	var exchanges int64
	if d.exchanges != nil {
		exchanges = d.exchanges()
	}
	cpu, err := cpuOf(d.servers)
	if err != nil {
		return m, err
	}
	started := time.Now()
	var parts sync.WaitGroup
	errs := make([]error, len(conns))
	for i, c := range conns {
		parts.Go(func() {
			for errs[i] == nil && (len(c.latencies) == 0 || time.Since(started) < d.time) {
				errs[i] = c.ask(d)
			}
		})
	}
	parts.Wait()
	took := time.Since(started)
	after, err := cpuOf(d.servers)
	if err != nil {
		return m, err
	}
	var latencies []time.Duration
	for i, c := range conns {
		if errs[i] != nil {
			return m, errs[i]
		}
		latencies = append(latencies, c.latencies...)
		m.bytes = max(m.bytes, c.size)
	}
	slices.Sort(latencies)
	operations := float64(len(latencies) * d.unit)
	m.rate = operations / took.Seconds()
	m.p50, m.p99 = latencies[len(latencies)/2], latencies[len(latencies)*99/100]
	m.cpu = time.Duration(float64(after-cpu) / operations)
	if d.exchanges != nil {
		m.trips = float64(d.exchanges()-exchanges) / operations
	}
	if d.allocations != nil {
		now, err := d.allocations()
		if err != nil {
			return m, err
		}
		m.allocs = float64(now-allocs) / operations
	}
	return m, nil
}

// A connection sends one request after the other. It is plainer than an
// http.Client, so that most of a busy machine is left to the servers.
type connection struct {
	net.Conn
	in        *bufio.Reader
	out       bytes.Buffer
	latencies []time.Duration
	size      int
}

func dial(ctx context.Context, d driver) (*connection, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	return &connection{Conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, conn.SetDeadline(deadline)
}

func (c *connection) ask(d driver) error {
	r := d.next()
	c.out.Reset()
	fmt.Fprintf(&c.out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: application/scim+json\r\n",
		r.method,
		r.path, d.address)
	if d.bearer != "" {
		c.out.WriteString("Authorization: Bearer " + d.bearer + "\r\n")
	}
	if r.body != nil {
		c.out.WriteString("Content-Type: application/scim+json\r\nContent-Length: " +
			strconv.Itoa(len(r.body)) + "\r\n")
	}
	c.out.WriteString("\r\n")
	c.out.Write(r.body)
	started := time.Now()
	if _, err := c.Write(c.out.Bytes()); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, &http.Request{Method: r.method})
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != d.want && (d.bearer != "" && d.want != anySuccess || resp.StatusCode >= 300) {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return fmt.Errorf("%s %s: %s: %s", r.method, r.path, resp.Status, text)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	c.size = int(n)
	c.latencies = append(c.latencies, time.Since(started))
	return err
}

// median takes the median of every figure by itself.
func median(all []measurement) (m measurement) {
	m.rate = middle(all, func(m measurement) float64 { return m.rate })
	m.p50 = middle(all, func(m measurement) time.Duration { return m.p50 })
	m.p99 = middle(all, func(m measurement) time.Duration { return m.p99 })
	m.cpu = middle(all, func(m measurement) time.Duration { return m.cpu })
	m.allocs = middle(all, func(m measurement) float64 { return m.allocs })
	m.trips = middle(all, func(m measurement) float64 { return m.trips })
	m.bytes = middle(all, func(m measurement) int { return m.bytes })
	return m
}

// medianRatio is the median of what the servers of one measurement spent for an operation, divided by those of the
// other of the same round.
func medianRatio(all, others []measurement) float64 {
	ratios := make([]float64, len(all))
	for i, m := range all {
		ratios[i] = float64(m.cpu) / float64(others[i].cpu)
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func middle[T int | float64 | time.Duration](all []measurement, of func(measurement) T) T {
	values := make([]T, len(all))
	for i, m := range all {
		values[i] = of(m)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
