//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
)

// mostRows is how many people are shown; the rest is counted.
const mostRows = 10

// admin is an administrator's client of the account.
func (d *demo) admin() (*api.Client, error) {
	token, err := os.ReadFile(d.path("admin-token"))
	if err != nil {
		return nil, err
	}
	return api.NewClient("http://"+d.ports.Account,
		api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
			return nil
		}))
}

// showArrivals prints the people and groups that the account has now.
func (d *demo) showArrivals(ctx context.Context) error {
	account, err := d.admin()
	if err != nil {
		return err
	}
	managed, limit := true, 1000
	members, err := client.Call[api.MemberPage](account.ListMembers(ctx, &api.ListMembersParams{
		Managed: &managed, Limit: &limit,
	}))
	if err != nil {
		return fmt.Errorf("asking the account who arrived: %w", err)
	}
	groups, err := client.Call[api.AccountGroupPage](account.ListGroups(ctx, &api.ListGroupsParams{
		Managed: &managed, Limit: &limit,
	}))
	if err != nil {
		return fmt.Errorf("asking the account who arrived: %w", err)
	}
	t := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nPEOPLE\tADDRESS\tSTATE\n")
	suspended := 0
	for i, m := range members.Items {
		if m.Suspended {
			suspended++
		}
		if i >= mostRows {
			continue
		}
		state := string(m.State)
		if m.Suspended {
			state += ", suspended"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", m.Name, m.Address, state)
	}
	if more := len(members.Items) - mostRows; more > 0 {
		fmt.Fprintf(t, "and %d more (of all, %d suspended)\n", more, suspended)
	}
	fmt.Fprintf(t, "\nGROUPS\tMEMBERS\n")
	for _, g := range groups.Items {
		fmt.Fprintf(t, "%s\t%d\n", g.Name, g.MemberCount)
	}
	return t.Flush()
}
