package directory

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// Attention is a person that waits for something.
type Attention = store.Attention

// attentionLimit bounds the list, for each kind.
const attentionLimit = 1000

// Attention lists the people that wait and what for: by kind, then the oldest first.
func (d *Directory) Attention(ctx context.Context) (all []Attention, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		all, err = tx.Attention(ctx, attentionLimit)
		return err
	})
	return all, err
}

// A WaitingQuery asks for some of the people that wait.
type WaitingQuery struct {
	Kind   string // empty for all
	Search string // a part of the userName or the address; empty for all
	Cursor string
	Limit  int
}

// A WaitingPage is some of the people that wait, in the order of Attention.
type WaitingPage struct {
	account.Page[Attention]
	// Counts is how many the search finds, by kind, whatever kind was asked for.
	Counts map[string]int64
	AsOf   time.Time
}

// Waiting lists and counts people that wait.
func (d *Directory) Waiting(ctx context.Context, q WaitingQuery) (p WaitingPage, err error) {
	kinds := store.WaitingKinds()
	if q.Kind != "" && !slices.Contains(kinds, q.Kind) {
		return p, account.InvalidValue("/kind", "nobody waits for %q; the kinds are %s", q.Kind,
			strings.Join(kinds, ", "))
	}
	rank, us, id := 0, int64(math.MinInt64), ""
	if err := account.ReadCursor(q.Cursor, &rank, &us, &id); err != nil {
		return p, err
	}
	if rank < 0 || rank >= len(kinds) {
		return p, account.InvalidCursor()
	}
	after := store.Place{Time: time.UnixMicro(us), ID: id}
	p.AsOf, p.Counts = d.account.Time(), make(map[string]int64, len(kinds))
	var found []Attention
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		for i, kind := range kinds {
			if p.Counts[kind], err = tx.CountWaiting(ctx, kind, q.Search); err != nil {
				return err
			}
			if i < rank || p.Counts[kind] == 0 || q.Kind != "" && q.Kind != kind || len(found) > q.Limit {
				continue
			}
			if i > rank {
				after = store.Place{Time: time.UnixMicro(math.MinInt64)}
			}
			some, err := tx.Waiting(ctx, kind, q.Search, after, q.Limit+1-len(found))
			if err != nil {
				return err
			}
			found = append(found, some...)
		}
		return nil
	})
	p.Page = account.PageOf(found, q.Limit, func(a Attention) []any {
		return append([]any{slices.Index(kinds, a.Kind)}, store.Place{Time: a.Since, ID: a.PersonID}.Key()...)
	})
	return p, err
}
