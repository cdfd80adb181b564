package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	people      []int
	connections []int
	repeat      int
	time        time.Duration
	only        *regexp.Regexp
	modes       []string
	profile     string // folder; empty for none
	sizes       bool   // measure the memory of the sizes instead
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == ceilingCommand {
		serveCeiling()
		return
	}
	o, err := parse(os.Args[1:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	people := flags.String("people", "2000",
		"how many people there are; several numbers are measured one after the other")
	connections := flags.String("connections", "8,64", "how many connections ask at the same time")
	modes := flags.String("modes", "dev,two", "dev: one process; two: bridge and account apart")
	only := flags.String("run", "", "measure only the phases that match this regular expression")
	flags.IntVar(&o.repeat, "repeat", 3, "how often each phase is measured; the table has the medians")
	flags.DurationVar(&o.time, "time", 300*time.Millisecond, "how long each measurement lasts")
	flags.StringVar(&o.profile, "profile", "", "leave CPU profiles of every phase in this `folder`")
	flags.BoolVar(&o.sizes, "sizes", false,
		"measure instead how much memory a bridge of each size needs for groups of so many people")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var faults [3]error
	o.people, faults[0] = numbers(*people)
	o.connections, faults[1] = numbers(*connections)
	o.only, faults[2] = regexp.Compile(*only)
	o.modes = strings.Split(*modes, ",")
	if o.repeat < 1 {
		o.repeat = 1
	}
	return o, errors.Join(faults[:]...)
}

func numbers(list string) (ns []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a list of numbers like 10000,100000", list)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

// minPeople leaves enough of them that no two connections change the same one.
const minPeople = 200

func run(ctx context.Context, o options) error {
	folder, err := os.MkdirTemp("", "scim-bridge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	binary, err := build(ctx, folder, o.profile != "")
	if err != nil {
		return err
	}
	if o.sizes {
		return measureSizes(ctx, o, folder, binary)
	}
	ceiling, err := startCeiling(ctx)
	if err != nil {
		return err
	}
	defer ceiling.stop()

	t := new(table)
	defer t.print(os.Stdout) // what there is, whatever went wrong
	for _, n := range o.people {
		s, err := newSite(ctx, folder, binary, max(n, minPeople), o.profile != "")
		if err != nil {
			return err
		}
		err = s.measure(ctx, o, ceiling, t)
		s.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// measure takes all phases in all modes at one number of people.
func (s *site) measure(ctx context.Context, o options, ceiling *process, t *table) error {
	for _, mode := range o.modes {
		if err := s.switchTo(ctx, mode); err != nil {
			return err
		}
		before := s.memory()
		phases, err := s.phases(ctx)
		if err != nil {
			return err
		}
		for _, p := range phases {
			if !o.only.MatchString(p.name) {
				continue
			}
			connections := o.connections
			if p.unit > 1 {
				connections = []int{1} // a thousand operations at once are load enough
			}
			for _, n := range connections {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				fmt.Fprintf(os.Stderr, "%d people, %s, %s, %d connections\n", s.people, mode, p.name, n)
				got, err := s.repeat(ctx, o, p, n, mode)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				top, err := repeatCeiling(ctx, o, ceiling, p, n, got.bytes)
				if err != nil {
					return fmt.Errorf("the ceiling for %s: %w", p.name, err)
				}
				t.rows = append(t.rows, row{s.people, n, p.name, mode, p.unit, got, top})
			}
		}
		t.remember(s.people, mode, before, s.memory())
		t.commits(s.people, mode, s.stopServers())
	}
	return nil
}

func (s *site) repeat(ctx context.Context, o options, p phase, connections int, mode string) (measurement, error) {
	var all []measurement
	for i := range o.repeat {
		var profiles func() error
		if o.profile != "" && i == 0 {
			profiles = s.startProfiles(ctx, o, fmt.Sprintf("%s-%d-%s-%d", mode, s.people,
				strings.ReplaceAll(p.name, " ", "_"),
				connections))
		}
		m, err := drive(ctx, driver{
			address: s.address, bearer: s.bearer, connections: connections, time: o.time,
			next: p.next, want: p.want, unit: p.unit, servers: s.servers, allocations: s.allocations,
		})
		if profiles != nil {
			err = errors.Join(err, profiles())
		}
		if err != nil {
			return m, err
		}
		all = append(all, m)
	}
	return median(all), nil
}

func repeatCeiling(ctx context.Context, o options, ceiling *process, p phase, connections, bytes int,
) (measurement, error) {
	var all []measurement
	for range o.repeat {
		m, err := drive(ctx, driver{
			address: ceiling.address, connections: connections, time: o.time / 2,
			next: func() request {
				r := p.next()
				r.path = fmt.Sprintf("/%d", bytes)
				return r
			},
			want: 200, unit: p.unit, servers: []*process{ceiling},
		})
		if err != nil {
			return m, err
		}
		all = append(all, m)
	}
	return median(all), nil
}
