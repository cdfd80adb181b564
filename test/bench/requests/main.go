package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	people      []int
	fill        bool // most people are made by SQL, in PostgreSQL
	connections []int
	repeat      int
	time        time.Duration
	only        *regexp.Regexp
	modes       []string
	profile     string // folder; empty for none
	sizes       bool   // measure the memory of the sizes instead
	against     string // an older scim-bridge; empty for none
	peers       []program
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
		"how many people there are; several numbers are measured in turn")
	connections := flags.String("connections", "8,64", "how many connections ask at the same time")
	modes := flags.String("modes", "dev,two",
		"dev: one process; two: bridge and account apart; postgres: the same, over PostgreSQL")
	only := flags.String("run", "", "measure only the phases that match this regular expression")
	flags.StringVar(&o.against, "against", "", "measure the older scim-bridge in this `file`, too, in turn")
	flags.Func("beside", "measure another SCIM server, too, in turn: `NAME=COMMAND`", func(text string) error {
		name, command, found := strings.Cut(text, "=")
		if !found || name == "" || command == "" {
			return errors.New("it must be like NAME=COMMAND")
		}
		o.peers = append(o.peers, program{peer: name, path: command})
		return nil
	})
	flags.IntVar(&o.repeat, "repeat", 5, "how many rounds there are of each phase; the table has the medians")
	flags.DurationVar(&o.time, "time", 300*time.Millisecond, "how long each measurement lasts")
	flags.BoolVar(&o.fill, "fill", false, "make all people but the first thousand by SQL, like one of those: "+
		"a million take minutes; with --modes postgres only")
	flags.StringVar(&o.profile, "profile", "", "leave CPU profiles of every phase in this `folder`")
	flags.BoolVar(&o.sizes, "sizes", false,
		"measure instead how much memory a bridge of each size needs for groups of so many people")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var faults [5]error
	o.people, faults[0] = numbers(*people)
	o.connections, faults[1] = numbers(*connections)
	o.only, faults[2] = regexp.Compile(*only)
	o.modes = strings.Split(*modes, ",")
	if unknown := slices.DeleteFunc(slices.Clone(o.modes), func(m string) bool {
		return m == "dev" || m == "two" || m == "postgres"
	}); len(unknown) > 0 {
		faults[3] = fmt.Errorf("there is no mode %q; the modes are dev, two and postgres", unknown[0])
	}
	if o.fill && *modes != "postgres" {
		faults[4] = errors.New("--fill is for --modes postgres alone")
	}
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
		return measureSizes(ctx, o, folder, program{path: binary})
	}
	ceiling, err := startCeiling(ctx)
	if err != nil {
		return err
	}
	defer ceiling.stop()

	programs := []program{{path: binary, profiled: o.profile != ""}}
	if o.against != "" {
		programs = append(programs, program{path: o.against, isOld: true})
	}
	programs = append(programs, o.peers...)
	t := new(table)
	for _, p := range o.peers {
		t.peers = append(t.peers, p.peer)
	}
	defer t.print(os.Stdout) // what there is, whatever went wrong
	return compare(ctx, o, folder, programs, ceiling, t)
}

// compare measures the programs.
func compare(ctx context.Context, o options, folder string, programs []program, ceiling *process, t *table,
) error {
	var all []*contender
	defer func() {
		for _, c := range all {
			t.commits(c.people, c.label(), c.stopServers())
			c.stop()
		}
	}()
	for _, n := range o.people {
		some, err := startContenders(ctx, o, folder, programs, max(n, minPeople))
		all = append(all, some...)
		if err != nil {
			return err
		}
	}
	err := measure(ctx, o, all, ceiling, t)
	for _, c := range all {
		t.remember(c.people, c.label(), c.before, c.memory())
	}
	return err
}
