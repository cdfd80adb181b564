package session

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

func wantDirectory(t *testing.T, opened Credentials, want Directory) {
	t.Helper()
	got, ok := opened.(Directory)
	if !ok || got.URL != want.URL || !got.Token.Equal(want.Token) {
		t.Errorf("opened %T %+v, want %+v with its token", opened, opened, want)
	}
}

func TestTheHeaderOfADirectoryHasItsAddressAndNotItsToken(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	sealed := mustSealAs(t, token, 3, directory, nil)
	f := mustParse(t, sealed)
	want := Header{Version: 3, Epoch: 3, DirectoryURL: directory.URL, TokenFingerprint: token.Fingerprint()}
	if got := f.Entries[0].Header; got != want || got.Kind() != KindDirectory {
		t.Errorf("header %+v of kind %s, want %+v", got, got.Kind(), want)
	}
	if header := headerOf(t, sealed); strings.Contains(header, directory.Token.Reveal()) {
		t.Errorf("the header is %s", header)
	}
	opened, err := f.Entries[0].Open(token)
	if err != nil {
		t.Fatal(err)
	}
	wantDirectory(t, opened, directory)
	if kind := mustParse(t, mustSeal(t, token, 3, nil)).Entries[0].Header.Kind(); kind != KindIntegration {
		t.Errorf("an integration's kind is %s", kind)
	}
}

func TestABundleOfADirectoryOpensWithBothTokens(t *testing.T) {
	t.Parallel()
	older, newer := newToken(t), newToken(t)
	before := mustParse(t, mustSealAs(t, older, 5, directory, nil)).Entries[0]
	ends := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	rotated := Directory{directory.URL, secret.New("the-next-token")}
	bundle := mustParse(t, mustSealAs(t, newer, 6, rotated, &Previous{Entry: before, Expires: ends}))
	if got := bundle.Entries[0].Header; got.Version != 3 || !got.PreviousExpires.Equal(ends) ||
		got.PreviousEpoch != 5 || got.PreviousFingerprint != older.Fingerprint() {
		t.Errorf("the header is %+v", got)
	}
	for token, want := range map[Token]Directory{newer: rotated, older: directory} {
		e, ok := bundle.Match(token)
		if !ok {
			t.Fatal("a token does not match")
		}
		opened, err := e.Open(token)
		if err != nil {
			t.Fatal(err)
		}
		wantDirectory(t, opened, want)
	}
}

func TestABundleHasOneFarSide(t *testing.T) {
	t.Parallel()
	ends := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	ofDirectory := mustParse(t, mustSealAs(t, newToken(t), 5, directory, nil)).Entries[0]
	ofIntegration := mustParse(t, mustSeal(t, newToken(t), 5, nil)).Entries[0]
	elsewhere := Directory{"https://scim.example.org/scim/v2", directory.Token}
	for _, row := range []struct {
		name     string
		epoch    int64
		next     Credentials
		previous Previous
		want     string
	}{
		{"another directory", 6, elsewhere, Previous{ofDirectory, ends}, "do not belong together"},
		{"an integration before a directory", 6, directory, Previous{ofIntegration, ends}, "do not belong together"},
		{"a directory before an integration", 6, credentials, Previous{ofDirectory, ends}, "do not belong together"},
		{"a directory's without an end", 6, directory, Previous{Entry: ofDirectory},
			"only one of the previous session"},
		{"a directory's that is not older", 5, directory, Previous{ofDirectory, ends}, "is not older"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Seal(newToken(t), row.epoch, row.next, &row.previous); !errors.Is(err, ErrUnreadable) ||
				!strings.Contains(err.Error(), row.want) {
				t.Errorf("Seal: %v, want ErrUnreadable with %q", err, row.want)
			}
		})
	}
}

// A stranger who can write the file must not send the token elsewhere.
func TestAnotherAddressInTheHeaderIsNoticed(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	sealed := mustSealAs(t, token, 3, directory, nil)
	raw := strings.Replace(headerOf(t, sealed), "scim.example.com", "scim.example.org", 1)
	_, rest, _ := strings.Cut(sealed, ".")
	f := mustParse(t, base64.RawURLEncoding.EncodeToString([]byte(raw))+"."+rest)
	if _, err := f.Entries[0].Open(token); !errors.Is(err, ErrUnreadable) {
		t.Errorf("it opens: %v", err)
	}
}

// Every form of an address that is taken can be sealed: see scimurl for the others.
func TestAddressesOfDirectories(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"https://scim.example.com/scim/v2/", " HTTPS://SCIM.Example.com/SCIM\n", "https://scim.example.com/a&b<c>",
		"http://[::1]:3002",
	} {
		url, err := ParseDirectoryURL(text)
		if err != nil {
			t.Fatal(err)
		}
		mustSealAs(t, newToken(t), 1, Directory{url, directory.Token}, nil)
	}
	if url, err := ParseDirectoryURL("http://scim.example.com"); err == nil {
		t.Errorf("%s is taken", url)
	}
}

func TestTokensOfDirectories(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want, fault string }{
		{"a token", "hunter2", "hunter2", ""},
		{"blanks and a byte order mark around it", "\uFEFF hunter2\r\n", "hunter2", ""},
		{"every character of RFC 6750", "aZ09-._~+/=", "aZ09-._~+/=", ""},
		{"as long as may be", strings.Repeat("a", 8192), strings.Repeat("a", 8192), ""},
		{"longer", strings.Repeat("a", 8193), "", "at most 8192"},
		{"nothing", " \n", "", "there is no token"},
		{"the scheme before it", "bearer hunter2", "", `begins with "Bearer "`},
		{"several lines", "hunter2\nhunter2", "", "blanks, line breaks"},
		{"a letter outside ASCII", "hunter2é", "", "outside ASCII"},
		{"a control character", "hunter2\x00x", "", "outside ASCII"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseDirectoryToken(row.text)
			switch {
			case row.fault == "" && (err != nil || got.Reveal() != row.want):
				t.Errorf("got %q and %v", got.Reveal(), err)
			case row.fault != "" && (err == nil || !strings.Contains(err.Error(), row.fault) ||
				strings.Contains(err.Error(), "hunter2")):
				t.Errorf("got %v, want an error with %q", err, row.fault)
			}
		})
	}
}

func TestADirectoryIsSealedAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	first, second, third := newToken(t), newToken(t), newToken(t)
	next := Directory{directory.URL, secret.New("the-next-token")}
	seal := func(token Token, d Directory, before File, overlap time.Duration, now time.Time) File {
		t.Helper()
		sealed, err := SealDirectory(token, d, before, overlap, now)
		if err != nil {
			t.Fatal(err)
		}
		return mustParse(t, sealed)
	}
	// opens checks which token opens which credentials.
	opens := func(f File, want map[Token]Directory) {
		t.Helper()
		for token, d := range want {
			e, ok := f.Match(token)
			if !ok {
				t.Fatalf("a token does not open %+v", f.Entries[0].Header)
			}
			opened, err := e.Open(token)
			if err != nil {
				t.Fatal(err)
			}
			wantDirectory(t, opened, d)
		}
		if len(f.Entries) != len(want) {
			t.Errorf("%d tokens open it, want %d", len(f.Entries), len(want))
		}
	}
	alone := seal(first, directory, File{}, time.Hour, now)
	opens(alone, map[Token]Directory{first: directory})
	if epoch := alone.Entries[0].Header.Epoch; epoch != now.Unix() {
		t.Errorf("the epoch is %d, want the time", epoch)
	}

	// With another bearer token both are valid for the overlap...
	bundle := seal(second, directory, alone, time.Hour, now)
	opens(bundle, map[Token]Directory{second: directory, first: directory})
	newest := bundle.Entries[0].Header
	if !newest.PreviousExpires.Equal(now.Add(time.Hour)) || newest.Epoch != now.Unix()+1 {
		t.Errorf("the header is %+v", newest)
	}
	// ...or the old one ends at once.
	opens(seal(second, directory, alone, 0, now), map[Token]Directory{second: directory})
	// A third token takes the place of the first.
	opens(seal(third, directory, bundle, time.Hour, now), map[Token]Directory{third: directory, second: directory})
	// Back to the first, it is the newest again.
	opens(seal(first, directory, bundle, time.Hour, now), map[Token]Directory{first: directory, second: directory})

	// With the same bearer token and other credentials, a running overlap goes on until its end.
	renewed := seal(second, next, bundle, time.Hour, now.Add(30*time.Minute))
	opens(renewed, map[Token]Directory{second: next, first: directory})
	if got := renewed.Entries[0].Header; !got.PreviousExpires.Equal(now.Add(time.Hour)) || got.Epoch <= newest.Epoch {
		t.Errorf("the header is %+v", got)
	}
	opens(seal(second, next, bundle, time.Hour, now.Add(time.Hour)), map[Token]Directory{second: next})
	opens(seal(first, next, alone, time.Hour, now), map[Token]Directory{first: next})

	// Generations are in order whatever the clock says.
	if back := seal(first, next, alone, 0, now.Add(-time.Hour)).Entries[0].Header; back.Epoch != now.Unix()+1 {
		t.Errorf("with a clock that was set back the epoch is %d", back.Epoch)
	}
}

func TestADirectoryIsNotSealedAgainForAnotherFarSide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for want, before := range map[string]File{
		"the account acc_1":              mustParse(t, mustSeal(t, newToken(t), 3, nil)),
		"the directory " + directory.URL: mustParse(t, mustSealAs(t, newToken(t), 3, directory, nil)),
	} {
		elsewhere := Directory{"https://scim.example.org", directory.Token}
		if _, err := SealDirectory(newToken(t), elsewhere, before, 0, now); !errors.Is(err, ErrOtherFarSide) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("SealDirectory: %v, want ErrOtherFarSide with %q", err, want)
		}
	}
	for _, overlap := range []time.Duration{-time.Second, MaxOverlap + 1} {
		if _, err := SealDirectory(newToken(t), directory, File{}, overlap, now); err == nil ||
			!strings.Contains(err.Error(), "is not from 0s to 720h0m0s") {
			t.Errorf("an overlap of %s: %v", overlap, err)
		}
	}
}
