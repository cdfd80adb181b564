package main

import (
	"context"
	"os"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// startPostgres is startTwo over PostgreSQL, with a copy of the account that dev has made. The server has its own
// defaults: a commit is on disk. It is filled up to so many people. The account reaches it through a counter of
// exchanges.
func (s *site) startPostgres(ctx context.Context, people int) error {
	port, err := postgres.FreePort(ctx)
	if err != nil {
		return err
	}
	if s.postgres, err = postgres.New(ctx, os.TempDir(), port); err != nil {
		return err
	}
	untold := func(store.CopyStep, int64, int64) {}
	if _, err := store.Copy(ctx, "sqlite:"+s.database(), s.postgres.URL("postgres"), false, untold); err != nil {
		return err
	}
	if people > s.people {
		if err := s.fill(ctx, s.postgres.URL("postgres"), people); err != nil {
			return err
		}
	}
	if s.counter, err = s.postgres.Count(ctx); err != nil {
		return err
	}
	return s.startApart(ctx, "postgres", s.counter.URL("postgres"))
}
