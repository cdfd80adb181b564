package signup

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// concurrency is the number of concurrent calls of one resource. The account writes all
// waiting calls in one transaction.
const concurrency = 16

// allowed returns the domains in the account's list, in alphabetical order.
func allowed(ctx context.Context, c *client.Client) ([]string, error) {
	all, err := c.SignupDomains(ctx)
	return slices.Sorted(maps.Keys(all)), err
}

// allow adds a domain to the account's list.
func allow(ctx context.Context, c *client.Client, name string) (api.SignupDomain, error) {
	key := rand.Text()
	return client.Call[api.SignupDomain](c.API.CreateSignupDomain(ctx,
		&api.CreateSignupDomainParams{IdempotencyKey: &key}, api.SignupDomainInput{Domain: name}))
}

// end removes a domain from the account's list. A missing one is not an error.
func end(ctx context.Context, c *client.Client, name string) error {
	_, err := client.Call[client.Nothing](c.API.DeleteSignupDomain(ctx, name, nil))
	if client.NotFound(err) {
		return nil
	}
	return err
}

// forEach calls do for many domains, some at a time, until one fails.
func forEach(ctx context.Context, names []string, do func(ctx context.Context, name string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, name := range names {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(ctx, name)
		})
	}
	return group.Wait()
}
