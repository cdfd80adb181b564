package account_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// A server has admitted a caller many times, and learns of the end of its token or session from the database alone.
func TestWhatAnotherServerEndedIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	dsn := storetest.New(t)
	mine, other := serverOf(t, dsn, true), serverOf(t, dsn, false)
	exec(t, other, `INSERT INTO generations (epoch, email, kdf, verifier, created_at) VALUES (1, 'm', '{}', '', 1)`)
	address := netip.MustParseAddr("192.0.2.1")
	for i := range 20 {
		token, secret, err := other.CreateToken(t.Context(), "tests")
		if err != nil {
			t.Fatal(err)
		}
		session := fmt.Sprintf("sbs_%d", i)
		digest, expires := sha256.Sum256([]byte(session)), time.Now().Add(time.Hour)
		exec(t, other, fmt.Sprintf(`INSERT INTO sessions (digest, id, epoch, instance, created_at, expires_at)
			VALUES ('%s', 's%d', 1, 'b', 1, %d)`, hex.EncodeToString(digest[:]), i, expires.UnixMicro()))
		for range 3 {
			if _, err := mine.AdmitToken(t.Context(), secret, address); err != nil {
				t.Fatalf("token %d: %v", i, err)
			}
			if _, err := mine.AdmitSession(t.Context(), session, address); err != nil {
				t.Fatalf("session %d: %v", i, err)
			}
		}
		if err := other.RevokeToken(t.Context(), token.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := mine.AdmitToken(t.Context(), secret, address); !account.IsCode(err, "token_rejected") {
			t.Fatalf("token %d, which was revoked: %v", i, err)
		}
		exec(t, other, `DELETE FROM sessions`)
		if _, err := mine.AdmitSession(t.Context(), session, address); !account.IsCode(err, "session_ended") {
			t.Fatalf("session %d, which was ended: %v", i, err)
		}
	}
}
