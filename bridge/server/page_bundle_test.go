package server_test

import (
	"archive/zip"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// Who is signed in gets a whole bundle; a program with the token one of what the account has confirmed.
func TestWhoGetsASupportBundle(t *testing.T) {
	t.Parallel()
	const path = "/app/support-bundle"
	for _, row := range []struct {
		name, authorization string
		signedIn            bool
		grant               string // what the account has confirmed of the token
		want                int
		complete            bool
	}{
		{"a browser that is signed in", "", true, "confirmed", http.StatusOK, true},
		{"a program with the token", "Bearer right", false, "confirmed", http.StatusOK, true},
		{"a program whose token the account has not confirmed", "Bearer right", false, "", http.StatusOK, false},
		{"a program with another token", "Bearer wrong", false, "confirmed", http.StatusUnauthorized, false},
		{"a program with a token that was replaced", "Bearer old", false, "confirmed", http.StatusUnauthorized, false},
		{"a program with the monitoring token", "Bearer watch", false, "confirmed", http.StatusUnauthorized, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFace(t)
			var header []string
			if row.signedIn {
				header = []string{"Cookie", f.cookie(t)}
			}
			f.confirm(row.grant)
			code, body, got := f.get(t, path, row.authorization, header...)
			if code != row.want {
				t.Fatalf("status %d, want %d: %s", code, row.want, body)
			}
			p, err := f.journal.Read(journal.Filter{Kinds: []journal.Kind{journal.BundleMade}})
			if err != nil {
				t.Fatal(err)
			}
			if code != http.StatusOK {
				if len(p.Events) != 0 || len(f.bundled()) != 0 {
					t.Error("a bundle was made all the same")
				}
				return
			}
			z, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
			if err != nil || len(z.File) == 0 {
				t.Errorf("what was sent is no bundle: %v", err)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/zip", "Cache-Control": "no-store",
				"Content-Disposition": `attachment; filename="scim-bridge-support-20260102T030405Z.zip"`,
			} {
				if got.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.Get(name), want)
				}
			}
			if made := f.bundled(); len(made) != 1 || made[0] != row.complete {
				t.Errorf("the bundles are complete: %v, want one: %t", made, row.complete)
			}
			if len(p.Events) != 1 || p.Events[0].Request != got.Get("X-Request-Id") {
				t.Errorf("the journal has %+v, and the request was %s", p.Events, got.Get("X-Request-Id"))
			}
		})
	}
}

// A browser that is not signed in any more is led to the form.
func TestAStrangerIsLedToTheFormInsteadOfASupportBundle(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	code, body, header := f.get(t, "/app/support-bundle", "")
	if code != http.StatusOK || !isForm(body) || header.Get("Content-Type") == "application/zip" {
		t.Errorf("status %d, %v", code, header)
	}
}

func TestASupportBundleWaitsForOthersThatAreSent(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	cookie := f.cookie(t)
	var unsent []*bundle.File
	for {
		made, err := f.bundles.Build(t.Context(), true)
		if errors.Is(err, bundle.ErrBusy) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		unsent = append(unsent, made)
	}
	code, body, header := f.get(t, "/app/support-bundle", "", "Cookie", cookie)
	if code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" ||
		!strings.Contains(body, "try again") {
		t.Errorf("while others are sent: %d, %v: %s", code, header, body)
	}
	for _, made := range unsent {
		made.Close()
	}
	if code, body, _ = f.get(t, "/app/support-bundle", "", "Cookie", cookie); code != http.StatusOK {
		t.Errorf("afterwards: %d: %s", code, body)
	}
}
