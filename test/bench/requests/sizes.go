package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A trial is what clients ask of a bridge while its memory is measured.
type trial struct {
	phase
	connections int
}

// trials lists what needs memory. A bridge keeps no people, so that is not how many there are.
func (s *site) trials() []trial {
	everyday := s.everyday()
	members := fmt.Sprintf("a group of %d people", s.people)
	whole := s.get1(members+" read", func(int) string { return "/Groups/" + s.group })
	body := s.replaceMembers()
	replaced := s.write(members+" replaced", http.MethodPut, http.StatusOK, func(int) (string, []byte) {
		return "/Groups/" + s.group, body
	})
	return []trial{{everyday, 8}, {everyday, 64}, {whole, 1}, {whole, 8}, {replaced, 1}, {replaced, 2}}
}

// everyday asks for a person, finds one, lists a hundred, and changes one, in turn.
func (s *site) everyday() phase {
	next := count()
	return phase{
		name: fmt.Sprintf("people and look-ups, of %d", s.people), want: http.StatusOK, unit: 1,
		next: func() request {
			n := next()
			id := s.ids[n*7919%s.people]
			switch n % 4 {
			case 0:
				return request{method: http.MethodGet, path: base + "/Users/" + id}
			case 1:
				return request{method: http.MethodGet,
					path: base + "/Users?filter=userName+eq+%22" + userName(n%s.people) + "%22"}
			case 2:
				return request{method: http.MethodGet,
					path: fmt.Sprintf("%s/Users?count=%d&startIndex=%d", base, page, 1+n%s.people)}
			default:
				return request{method: http.MethodPatch, path: base + "/Users/" + id, body: patch(replaceTitle(n))}
			}
		},
	}
}

// replaceMembers is the body of a PUT of the group of all.
func (s *site) replaceMembers() []byte {
	members := make([]operation, len(s.ids))
	for i, id := range s.ids {
		members[i] = operation{"value": id}
	}
	return encode(map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"},
		"displayName": "Everybody", "members": members})
}

var sizes = []deploy.Size{deploy.SizeBase, deploy.SizeHigh, deploy.SizeVeryHigh}

// measureSizes prints the greatest memory of a bridge of each size in each trial, for accounts of
// several numbers of people.
func measureSizes(ctx context.Context, o options, folder string, p program) error {
	var rows []string
	defer func() { printSizes(os.Stdout, rows) }() // what there is, whatever went wrong
	for _, n := range o.people {
		s, err := newSite(ctx, folder, p, max(n, minPeople))
		if err != nil {
			return err
		}
		for _, t := range s.trials() {
			if !o.only.MatchString(t.name) {
				continue
			}
			row := fmt.Sprintf("| %s, %d at once |", t.name, t.connections)
			for _, size := range sizes {
				fmt.Fprintf(os.Stderr, "%s, %d connections, %s\n", t.name, t.connections, size)
				peak, err := s.peak(ctx, o, size, t)
				if err != nil {
					s.stop()
					return fmt.Errorf("%s, %s: %w", t.name, size, err)
				}
				row += " " + cell(peak, size) + " |"
			}
			rows = append(rows, row)
		}
		s.stop()
	}
	return nil
}

// peak starts a bridge of a size and returns the greatest memory that it has during a trial.
func (s *site) peak(ctx context.Context, o options, size deploy.Size, t trial) (int64, error) {
	s.stopServers()
	s.soft = size.Memory()
	if err := s.startTwo(ctx); err != nil {
		return 0, err
	}
	_, err := drive(ctx, driver{
		address: s.address, bearer: s.bearer, connections: t.connections, time: o.time,
		next: t.next, want: t.want, unit: t.unit, servers: s.servers,
	})
	bridge := s.servers[len(s.servers)-1]
	return bridge.peak(), cmp.Or(err, ctx.Err())
}

// cell is how the table shows a peak: above the limit, a container would have been killed.
func cell(peak int64, size deploy.Size) string {
	text := fmt.Sprintf("%d MiB", peak>>20)
	if peak > size.Limit() {
		return "**" + text + "**"
	}
	return text
}

// printSizes prints a table in Markdown, as the guide has it.
func printSizes(out io.Writer, rows []string) {
	head, rule := "| greatest memory of the bridge |", "|---|"
	limits := "| soft limit / limit of a container |"
	for _, size := range sizes {
		head += fmt.Sprintf(" `%s` |", size)
		rule += "--:|"
		limits += fmt.Sprintf(" %d / %d MiB |", size.Memory()>>20, size.Limit()>>20)
	}
	fmt.Fprintln(out, strings.Join(append([]string{head, rule, limits}, rows...), "\n"))
}
