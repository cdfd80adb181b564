package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A contender is what is measured: a program in a mode, with an account of its own.
type contender struct {
	*site
	phases []phase
	before map[string]int64 // memory before the phases, by server
}

// label is the mode as the table has it, or the name of another server.
func (c *contender) label() string {
	switch {
	case c.program.peer != "":
		return c.program.peer
	case c.program.isOld:
		return c.mode + ", old"
	}
	return c.mode
}

// startContenders starts each program in each mode with so many people. All of them run until the end, so that they can
// be driven in turn.
func startContenders(ctx context.Context, o options, folder string, programs []program, people int,
) (all []*contender, err error) {
	for _, p := range programs {
		modes := o.modes
		if p.peer != "" {
			modes = []string{"peer-" + p.peer}
		}
		for _, mode := range modes {
			loaded := people
			if o.fill {
				loaded = min(people, template+1)
			}
			s, err := newSite(ctx, filepath.Join(folder, fmt.Sprintf("%s-%d-%t", mode, people, p.isOld)), p, loaded)
			if err != nil {
				return all, err
			}
			c := &contender{site: s}
			all = append(all, c)
			if start, apart := map[string]func(context.Context) error{
				"two":      c.startTwo,
				"postgres": func(ctx context.Context) error { return c.startPostgres(ctx, people) },
			}[mode]; apart {
				c.stopServers()
				if err := start(ctx); err != nil {
					return all, err
				}
			}
			c.before = c.memory()
			if c.phases, err = s.list(ctx); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// measure takes all phases.
func measure(ctx context.Context, o options, all []*contender, ceiling *process, t *table) error {
	for i, p := range all[0].phases {
		if !o.only.MatchString(p.name) {
			continue
		}
		connections := o.connections
		if p.unit > 1 {
			connections = []int{1} // a thousand operations at once are load enough
		}
		for _, n := range connections {
			fmt.Fprintf(os.Stderr, "%s, %d connections\n", p.name, n)
			got, err := takeTurns(ctx, o, all, i, n, ceiling)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			for k, c := range all {
				if len(got.of[k]) == 0 {
					continue
				}
				r := row{
					people: c.people, connections: n, phase: p.name, mode: c.label(), unit: p.unit,
					got: median(got.of[k]), ceiling: median(got.ceiling),
					overCeiling: medianRatio(got.of[k], got.ceiling),
				}
				if old := slices.IndexFunc(all, func(o *contender) bool {
					return o.program.isOld && o.mode == c.mode && o.people == c.people
				}); old >= 0 && old != k {
					r.overOld = medianRatio(got.of[k], got.of[old])
				}
				if small := smallest(all, c); len(got.of[small]) > 0 && all[small].people < c.people {
					r.overSmall = medianRatio(got.of[k], got.of[small])
				}
				if c.program.peer == "" {
					r.overPeers = overPeers(all, got, k)
				}
				t.rows = append(t.rows, r)
			}
		}
	}
	return nil
}

// smallest is which contender is like c with the fewest people.
func smallest(all []*contender, c *contender) int {
	least := slices.Index(all, c)
	for i, o := range all {
		if o.label() == c.label() && o.people < all[least].people {
			least = i
		}
	}
	return least
}

// overPeers are the medians of the ratios of contender k to each of the other servers, by name.
func overPeers(all []*contender, got turns, k int) map[string]float64 {
	ratios := make(map[string]float64)
	for i, c := range all {
		if c.program.peer != "" && c.people == all[k].people && len(got.of[i]) > 0 {
			ratios[c.program.peer] = medianRatio(got.of[k], got.of[i])
		}
	}
	return ratios
}

// turns are the measurements of a phase, by round.
type turns struct {
	of      [][]measurement // by contender; none of another server that cannot answer
	ceiling []measurement
}

// takeTurns drives all contenders and the ceiling one after the other, again and again: what else the machine does
// meanwhile weighs on all of them. Each round begins with another contender.
func takeTurns(ctx context.Context, o options, all []*contender, phase, connections int, ceiling *process,
) (turns, error) {
	got := turns{of: make([][]measurement, len(all))}
	unable := make([]bool, len(all))
	for round := range o.repeat {
		bytes := 0
		for i := range all {
			k := (i + round) % len(all)
			if unable[k] {
				continue
			}
			m, err := all[k].drive(ctx, o, phase, connections, round == 0)
			switch peer := all[k].program.peer; {
			case err != nil && peer != "" && ctx.Err() == nil:
				fmt.Fprintf(os.Stderr, "%s is left out: %v\n", peer, err)
				unable[k], got.of[k] = true, nil
				continue
			case err != nil:
				return got, fmt.Errorf("%s: %w", all[k].label(), err)
			case peer == "":
				bytes = max(bytes, m.bytes)
			}
			got.of[k] = append(got.of[k], m)
		}
		m, err := driveCeiling(ctx, o, ceiling, all[0].phases[phase], connections, bytes)
		if err != nil {
			return got, fmt.Errorf("the ceiling: %w", err)
		}
		got.ceiling = append(got.ceiling, m)
	}
	return got, ctx.Err()
}

func (c *contender) drive(ctx context.Context, o options, phase, connections int, first bool) (measurement, error) {
	p, allocations := c.phases[phase], c.allocations
	if c.program.peer != "" {
		if p.ours {
			return measurement{}, errors.New("other servers are not asked this")
		}
		p.want, allocations = anySuccess, nil
	}
	end := func() error { return nil }
	if c.program.profiled && first {
		end = c.startProfiles(ctx, o, fmt.Sprintf("%s-%d-%s-%d", c.mode, c.people,
			strings.ReplaceAll(p.name, " ", "_"), connections))
	}
	d := driver{
		address: c.address, bearer: c.bearer, connections: connections, time: o.time,
		next: p.next, want: p.want, unit: p.unit, servers: c.servers, allocations: allocations,
	}
	if c.counter != nil {
		d.exchanges = c.counter.Sent
	}
	m, err := drive(ctx, d)
	if endErr := end(); err == nil {
		err = endErr
	}
	return m, err
}

func driveCeiling(ctx context.Context, o options, ceiling *process, p phase, connections, bytes int,
) (measurement, error) {
	return drive(ctx, driver{
		address: ceiling.address, connections: connections, time: o.time / 2,
		next: func() request {
			r := p.next()
			r.path = fmt.Sprintf("/%d", bytes)
			return r
		},
		want: 200, unit: p.unit, servers: []*process{ceiling},
	})
}
