package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// Bridges that are made anew have another name each time: those that are gone leave the list.
func TestABridgeThatIsGoneLeavesTheList(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	now := a.Time()
	for instance, silent := range map[string]time.Duration{"gone": 8 * day, "silent": 6 * day, "here": 0} {
		row := store.Bridge{Instance: instance, LastContact: now.Add(-silent), State: "healthy", Problems: "[]"}
		err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.PutBridge(ctx, row)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := a.Bridges(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	states := make(map[string]string)
	for _, b := range list.Items {
		states[b.Instance] = b.State
	}
	if len(states) != 2 || states["silent"] != "lost" || states["here"] != "healthy" {
		t.Errorf("it lists %v", states)
	}
}
