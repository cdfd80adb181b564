package store

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
)

// beforeChain is the last version of the schema whose audit events were no chain.
const beforeChain = 12

// The events of a database from before the chain become its beginning, in their order, and the days' counts of wrong
// admin tokens are taken out of them.
func TestAnAuditLogBecomesAChain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	db, err := driver.Open(fileURL(path, url.Values{}), register)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	p := gooseProvider(t, db)
	if _, err := p.UpTo(t.Context(), beforeChain); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		// Not in the order of their times.
		if _, err := db.ExecContext(t.Context(), `INSERT INTO audit VALUES (?, ?, 'machine', '', 'x.y', 'o', 's')`,
			fmt.Sprintf("id%d", i), (i*7)%1000); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), `INSERT INTO audit VALUES
		('tokens-refused-2026-01-02', 5, 'stranger', '192.0.2.1', 'token.refused', '7', 'x')`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s, err := Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if faults, err := s.Check(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("found %v (%v)", faults, err)
	}
	err = s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
		var events, inOrder, refused int
		if err := tx.QueryRow(ctx, `SELECT count(*), sum(sequence = time + 1), (SELECT sum(tries) FROM refused_tokens
			WHERE day = '2026-01-02') FROM audit`).Scan(&events, &inOrder, &refused); err != nil {
			return err
		}
		if events != 1000 || inOrder != 1000 || refused != 7 {
			t.Errorf("%d events, %d of them in order; %d wrong tokens", events, inOrder, refused)
		}
		page, err := tx.AuditEvents(ctx, Place{Time: time.UnixMicro(2000)}, 10000)
		if len(page) != 1001 {
			t.Errorf("%d events are listed, want 1001", len(page))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
