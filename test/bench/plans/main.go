// Command plans measures what many objects cost: Terraform with the provider,
// as it ships, before a real account service, beside the same number of
// terraform_data, which live in the state alone and ask nobody. It prints one
// table.
//
//	make bench
//	go run ./test/bench/plans --objects 100,1000,10000
//
// # How to read the table
//
// A row is one step of one resource's life, with that many objects:
//
//   - create: the apply that makes them, its plan included;
//   - plan: a plan that finds no change, its refresh included;
//   - change: the apply that changes one of them;
//   - destroy: the apply that removes them. The resources that own a whole
//     policy or list leave it in the account: theirs forgets.
//
// A row named after the plural (firewall_policy, signup_domains) is one
// resource with that many rules or domains in it.
//
//   - time is the clock's; cpu is what Terraform and the provider spent, account
//     what the account service spent. On a busy machine compare the latter two.
//   - ×data divides by the same figure of terraform_data: what the provider adds
//     to what Terraform itself needs for that many objects.
//   - ×linear divides cpu per object by that of the same row with the fewest
//     objects. Above 1, the cost of an object grows with their number.
//     Terraform's own does, where it makes or destroys.
//   - reads and writes are the requests in the account's log.
//
// The state lies with an http backend in the bench's memory.
//
// With --profile DIR every step leaves CPU profiles of the provider's
// processes there. The binary is then built with one file more than is in the
// repository (profile.go.txt): what ships has no profiling.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	objects   []int
	only      *regexp.Regexp
	steps     []string
	terraform string
	profile   string // folder; empty for none
}

func main() {
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

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	objects := flags.String("objects", "100", "how many objects there are; several numbers are measured one after the "+
		"other")
	only := flags.String("run", "", "measure only the resources that match this regular expression, and terraform_data")
	steps := flags.String("steps", "create,plan,change,destroy", "measure only these; leave out what comes last")
	flags.StringVar(&o.terraform, "terraform", "", "the `binary` to run; terraform or tofu in PATH if empty")
	flags.StringVar(&o.profile, "profile", "", "leave CPU profiles of the provider in this `folder`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for text := range strings.SplitSeq(*objects, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return o, fmt.Errorf("%q is not a list of numbers like 100,1000", *objects)
		}
		o.objects = append(o.objects, n)
	}
	slices.Sort(o.objects)
	o.steps = strings.Split(*steps, ",")
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, err
	}
	if o.profile != "" {
		if o.profile, err = filepath.Abs(o.profile); err != nil {
			return o, err
		}
	}
	tofu, _ := exec.LookPath("tofu")
	terraform, _ := exec.LookPath("terraform")
	if o.terraform = cmp.Or(o.terraform, terraform, tofu); o.terraform == "" {
		err = errors.New("neither terraform nor tofu is in PATH; install one, or name it with --terraform")
	}
	return o, err
}

func run(ctx context.Context, o options) error {
	folder, err := os.MkdirTemp("", "scimbridge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	bin, err := build(ctx, folder, o.profile != "")
	if err != nil {
		return err
	}
	states, err := startBackend(ctx)
	if err != nil {
		return err
	}
	defer states.stop()
	t := new(table)
	defer t.print(os.Stdout) // what there is, whatever went wrong
	for _, n := range o.objects {
		for _, r := range resources {
			if r.name != baseline && !o.only.MatchString(r.name) {
				continue
			}
			dir := filepath.Join(folder, fmt.Sprintf("%s-%d", r.name, n))
			if err := measure(ctx, o, bin, dir, states.url, r, n, t); err != nil {
				return fmt.Errorf("%d of %s: %w", n, r.name, err)
			}
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure leads a resource with n objects through its life.
func measure(ctx context.Context, o options, bin, dir, states string, r resource, n int, t *table) error {
	a, err := startAccount(ctx, filepath.Join(bin, bridgeBinary), dir)
	if err != nil {
		return err
	}
	defer a.stop()
	w, err := newWorkspace(ctx, o, bin, dir, fmt.Sprintf("%s/%s-%d", states, r.name, n), a)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name, description string
		args              []string
	}{
		{"create", "", []string{"apply", "-auto-approve"}},
		{"plan", "", []string{"plan", "-detailed-exitcode"}}, // which fails if there are changes
		{"change", "changed", []string{"apply", "-auto-approve"}},
		{"destroy", "changed", []string{"destroy", "-auto-approve"}},
	} {
		if !slices.Contains(o.steps, step.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%d of %s: %s\n", n, r.name, step.name)
		got, err := w.step(ctx, fmt.Sprintf("%s-%d-%s", r.name, n, step.name),
			r.config(n, step.description), step.args...)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		t.rows = append(t.rows, row{n, r.name, step.name, got})
	}
	return nil
}
