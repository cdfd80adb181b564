package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

var credentials = Integration{
	AccountURL: "https://account.example.com",
	AccountID:  "acc_1",
	Email:      "provision-manager@example.com",
	Secrets:    signin.NewSecrets("mp1_MASTERPASSWORD", "sk1_SECRETKEY"),
}

var directory = Directory{URL: "https://scim.example.com/scim/v2", Token: secret.New("far-side-TOKEN")}

func newToken(t testing.TB) Token {
	t.Helper()
	token, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func mustSeal(t testing.TB, token Token, epoch int64, previous *Entry) string {
	t.Helper()
	return mustSealUntil(t, token, epoch, previous, time.Time{})
}

// mustSealUntil seals a bundle whose previous session is dead from ends on.
func mustSealUntil(t testing.TB, token Token, epoch int64, previous *Entry, ends time.Time) string {
	t.Helper()
	var before *Previous
	if previous != nil {
		before = &Previous{Entry: *previous, Expires: ends}
	}
	return mustSealAs(t, token, epoch, credentials, before)
}

func mustSealAs(t testing.TB, token Token, epoch int64, c Credentials, before *Previous) string {
	t.Helper()
	sealed, err := Seal(token, epoch, c, before)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func mustParse(t testing.TB, sealed string) File {
	t.Helper()
	f, err := Parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func wantCredentials(t *testing.T, opened Credentials) {
	t.Helper()
	got, ok := opened.(Integration)
	if !ok {
		t.Fatalf("opened %T, want an integration", opened)
	}
	gotPassword, gotKey := got.Secrets.Reveal()
	wantPassword, wantKey := credentials.Secrets.Reveal()
	if gotPassword != wantPassword || gotKey != wantKey {
		t.Error("the secrets are not those that were sealed")
	}
	got.Secrets = credentials.Secrets
	if got != credentials {
		t.Errorf("opened %+v, want %+v", got, credentials)
	}
}

func TestSealedSessionOpensWithItsToken(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	f := mustParse(t, mustSeal(t, token, 3, nil))

	want := Header{Version: 1, Epoch: 3, AccountID: "acc_1", TokenFingerprint: token.Fingerprint()}
	if got := f.Entries[0].Header; got != want {
		t.Errorf("header %+v, want %+v", got, want)
	}
	e, ok := f.Match(token)
	if !ok {
		t.Fatal("the file does not match the token it was sealed under")
	}
	got, err := e.Open(token)
	if err != nil {
		t.Fatal(err)
	}
	wantCredentials(t, got)
}

func TestSealRefusesWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		token       Token
		epoch       int64
		credentials Credentials
		want        string
	}{
		{"no token", Token{}, 1, credentials, "the bearer token is empty"},
		{"no account", newToken(t), 1, Integration{}, "names no account"},
		{"no directory", newToken(t), 1, Directory{}, "names no directory"},
		{"an address that is not in the form of sessions", newToken(t), 1,
			Directory{URL: "https://scim.example.com/"}, "address in its header is damaged"},
		{"a negative epoch", newToken(t), -1, credentials, "negative epoch"},
		{"more than a session may hold", newToken(t), 1,
			Integration{AccountID: "a", Email: strings.Repeat("x", maxLine)},
			"at most 16384"},
		{"a header larger than it may be", newToken(t), 1, Integration{AccountID: strings.Repeat("a", maxHeader)},
			"at most 2048"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := Seal(row.token, row.epoch, row.credentials, nil)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Seal: %v, want an error with %q", err, row.want)
			}
		})
	}
}

func TestBundleOpensWithBothTokens(t *testing.T) {
	t.Parallel()
	older, newer, stranger := newToken(t), newToken(t), newToken(t)
	oldFile := mustParse(t, mustSeal(t, older, 0, nil))
	bundle := mustParse(t, mustSeal(t, newer, 1, &oldFile.Entries[0]))

	newest := bundle.Entries[0].Header
	if newest.PreviousFingerprint != older.Fingerprint() || newest.PreviousEpoch != 0 {
		t.Errorf("the newest header names %q of epoch %d as previous", newest.PreviousFingerprint, newest.PreviousEpoch)
	}
	for i, token := range []Token{newer, older} {
		e, ok := bundle.Match(token)
		if !ok || e.Header.Epoch != int64(1-i) {
			t.Fatalf("token %d matches %t, epoch %d", i, ok, e.Header.Epoch)
		}
		got, err := e.Open(token)
		if err != nil {
			t.Fatal(err)
		}
		wantCredentials(t, got)
	}
	if _, ok := bundle.Match(stranger); ok {
		t.Error("a stranger's token matches")
	}

	// A third rotation drops the oldest: an account never keeps three.
	third := mustParse(t, mustSeal(t, stranger, 2, &bundle.Entries[0]))
	if len(third.Entries) != 2 {
		t.Errorf("the third bundle has %d entries, want 2", len(third.Entries))
	}
	if _, ok := third.Match(older); ok {
		t.Error("the oldest token still matches after two rotations")
	}
}

func TestABundleSaysWhenItsSecondSessionEnds(t *testing.T) {
	t.Parallel()
	older, newer := newToken(t), newToken(t)
	previous := mustParse(t, mustSeal(t, older, 1, nil)).Entries[0]
	ends := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	sealed := mustSealUntil(t, newer, 2, &previous, ends)
	bundle := mustParse(t, sealed)
	if got := bundle.Entries[0].Header; !got.PreviousExpires.Equal(ends) || got.Version != 2 {
		t.Errorf("the header is %+v, want the end %s and version 2", got, ends)
	}
	for _, token := range []Token{newer, older} {
		e, _ := bundle.Match(token)
		got, err := e.Open(token)
		if err != nil {
			t.Fatal(err)
		}
		wantCredentials(t, got)
	}

	// Moving the end is noticed with the newest token.
	raw := strings.Replace(headerOf(t, sealed), fmt.Sprint(ends.Unix()), fmt.Sprint(ends.Unix()+86400), 1)
	_, rest, _ := strings.Cut(sealed, ".")
	moved := mustParse(t, base64.RawURLEncoding.EncodeToString([]byte(raw))+"."+rest)
	if _, err := moved.Entries[0].Open(newer); !errors.Is(err, ErrUnreadable) {
		t.Errorf("with another end it opens: %v", err)
	}
}

// Each kind of damage must be told from the others: they have different cures.
func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	token, other := newToken(t), newToken(t)
	sealed := mustSeal(t, token, 3, nil)
	entry := mustParse(t, sealed).Entries[0]
	bundle := mustSeal(t, other, 4, &entry)
	stray := mustSeal(t, other, 4, nil)
	first, second, _ := strings.Cut(bundle, "\n")

	withHeader := func(raw string) string {
		_, rest, _ := strings.Cut(sealed, ".")
		return base64.RawURLEncoding.EncodeToString([]byte(raw)) + "." + rest
	}
	plain := headerOf(t, sealed)
	withPart := func(i int, text string) string {
		parts := strings.Split(sealed, ".")
		parts[i] = text
		return strings.Join(parts, ".")
	}

	for _, row := range []struct {
		name, text, want string
	}{
		{"nothing", " \n", "it is empty"},
		{"something else altogether", "-----BEGIN PRIVATE KEY-----", "this is not a session"},
		{"a token in the session's place", token.Reveal(), "this is not a session"},
		{"another JWE", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA",
			"its typ is"},
		{"too large to be looked at", strings.Repeat("e", maxFile+1), "at most 65536"},
		{"a line too large to be looked at", "eyJ" + strings.Repeat("A", maxLine), "at most 16384"},
		{"three lines", sealed + "\n" + sealed + "\n" + sealed, "it has 3 lines"},
		{"cut off within the header", sealed[:50], "truncated: it has 1 of 5 parts"},
		{"cut off before the tag", sealed[:strings.LastIndex(sealed, ".")], "truncated: it has 4 of 5 parts"},
		{"cut off within the tag", sealed[:len(sealed)-8], "truncated: part 5"},
		{"a part too many", sealed + ".AAAA", "6 parts"},
		{"a character outside base64url", withPart(3, "+++"), "part 4 is damaged"},
		{"padding", sealed + "=", "part 5 is damaged"},
		{"a wrapped key", withPart(1, "AAAA"), "part 2 is not empty"},
		{"an initialization vector of another size", withPart(2, "AAAA"), "part 3 is damaged"},
		{"a tag of another size", withPart(4, strings.Repeat("A", 24)), "part 5 is damaged"},
		{"a header that is not JSON", withHeader(`{"account":`), "header is damaged"},
		{"a later version", withHeader(strings.Replace(plain, `"version":1`, `"version":4`, 1)), "update it"},
		{"a version that says when a session ends that is not there",
			withHeader(strings.Replace(plain, `"version":1`, `"version":2`, 1)), "the previous session and its expiry"},
		{"an end without the version that has it",
			withHeader(strings.Replace(plain, `"salt"`, `"previous_expires":1,"salt"`, 1)),
			"the previous session and its expiry"},
		{"an end of no session", withHeader(strings.NewReplacer(`"salt"`, `"previous_expires":1,"salt"`, `"version":1`,
			`"version":2`).Replace(plain)), "the previous session and its expiry"},
		{"an integration as a directory", withHeader(strings.Replace(plain, `"version":1`, `"version":3`, 1)),
			"names no directory"},
		{"a directory beside the account", withHeader(strings.NewReplacer(`"enc"`,
			`"directory":"https://scim.example.com","enc"`, `"version":1`, `"version":3`).Replace(plain)),
			"both an account and a directory"},
		{"another key algorithm", withHeader(strings.Replace(plain, `"dir"`, `"A256KW"`, 1)), "only dir and A256GCM"},
		{"another cipher", withHeader(strings.Replace(plain, `"A256GCM"`, `"A128CBC-HS256"`, 1)),
			"only dir and A256GCM"},
		{"compression", withHeader(strings.Replace(plain, `}`, `,"zip":"DEF"}`, 1)), "the form of version"},
		{"a critical extension", withHeader(strings.Replace(plain, `}`, `,"crit":["exp"]}`, 1)), "the form of version"},
		{"a member twice", withHeader(strings.Replace(plain, `{`, `{"epoch":4,`, 1)), "the form of version"},
		{"a member in capitals", withHeader(strings.Replace(plain, `"alg"`, `"ALG"`, 1)), "the form of version"},
		{"white space in the header", withHeader(strings.Replace(plain, `,`, `, `, 1)), "the form of version"},
		{"a short salt", withHeader(strings.Replace(plain, `"salt":"`, `"salt":"AAAA`, 1)), "32 bytes"},
		{"half a fingerprint", withHeader(strings.Replace(plain, token.Fingerprint(), token.Fingerprint()[:20], 1)),
			"fingerprint"},
		{"a bundle cut off after its first line", first, "the previous session on its second line is missing"},
		{"a bundle cut off in its second line", bundle[:len(bundle)-30], "line 2"},
		{"two lines that do not belong together", stray + "\n" + second, "do not belong together"},
		{"a bundle upside down", second + "\n" + first, "do not belong together"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(row.text)
			if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Parse: %v, want ErrUnreadable with %q", err, row.want)
			}
		})
	}
}

func headerOf(t *testing.T, sealed string) string {
	t.Helper()
	part, _, _ := strings.Cut(sealed, ".")
	raw, err := decodeBase64(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestLineEndingsOfEditorsDoNoHarm(t *testing.T) {
	t.Parallel()
	older, newer := newToken(t), newToken(t)
	previous := mustParse(t, mustSeal(t, older, 1, nil)).Entries[0]
	bundle := mustSeal(t, newer, 2, &previous)
	want := mustParse(t, bundle)
	got := mustParse(t, "\n"+strings.ReplaceAll(bundle, "\n", "\r\n")+"\r\n")
	if got.String() != want.String() || got.Fingerprint() != want.Fingerprint() {
		t.Error("the file is another one with other line endings")
	}
}

func TestAWrongTokenIsAnErrorOfItsOwn(t *testing.T) {
	t.Parallel()
	entry := mustParse(t, mustSeal(t, newToken(t), 3, nil)).Entries[0]
	for name, token := range map[string]Token{"another token": newToken(t), "no token": {}} {
		if _, err := entry.Open(token); !errors.Is(err, ErrWrongToken) || errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v, want ErrWrongToken alone", name, err)
		}
	}
}

// Whichever bit flips, the session does not open.
func TestEveryChangedBitIsNoticed(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	sealed := mustSeal(t, token, 3, nil)
	for i := range sealed {
		for bit := range 8 {
			changed := []byte(sealed)
			changed[i] ^= 1 << bit
			f, err := Parse(string(changed))
			if err == nil {
				_, err = f.Entries[0].Open(token)
			}
			if !errors.Is(err, ErrUnreadable) && !errors.Is(err, ErrWrongToken) {
				t.Fatalf("byte %d, bit %d: %v, want ErrUnreadable or ErrWrongToken", i, bit, err)
			}
		}
	}
}

func TestChangeAfterSealingIsNoticed(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	sealed := mustSeal(t, token, 3, nil)
	raw := strings.Replace(headerOf(t, sealed), `"epoch":3`, `"epoch":4`, 1)
	_, rest, _ := strings.Cut(sealed, ".")
	f := mustParse(t, base64.RawURLEncoding.EncodeToString([]byte(raw))+"."+rest)
	_, err := f.Entries[0].Open(token)
	if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "changed after sealing") {
		t.Errorf("Open: %v, want that the content was changed after sealing", err)
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	sealed := mustSeal(t, token, 3, nil)
	_, wrong := mustParse(t, sealed).Entries[0].Open(newToken(t))
	other := "A"
	if token.Reveal()[40] == 'A' {
		other = "B"
	}
	_, malformed := ParseToken(token.Reveal()[:40] + other + token.Reveal()[41:])
	_, misplaced := Parse(token.Reveal())
	for _, err := range []error{wrong, malformed, misplaced} {
		if err == nil || strings.Contains(err.Error(), token.Reveal()[len(tokenPrefix):20]) {
			t.Errorf("the error is nil or shows the token: %v", err)
		}
	}
	out := fmt.Sprintf("%v %+v %#v %x", token, token, struct{ t Token }{token}, token)
	if strings.Contains(out, token.Reveal()[5:20]) {
		t.Errorf("the token prints itself: %s", out)
	}
	if out := fmt.Sprintf("%+v %+v", credentials, directory); strings.Contains(out, "MASTERPASSWORD") ||
		strings.Contains(out, "SECRETKEY") || strings.Contains(out, "TOKEN") {
		t.Errorf("the credentials print their secrets: %s", out)
	}
}

func TestFileOnDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "session")
	if _, err := ReadFile(path); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnreadable) {
		t.Errorf("a missing file: %v, want fs.ErrNotExist alone", err)
	}
	sealed := mustSeal(t, newToken(t), 3, nil)
	if err := WriteFile(path, sealed); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.String() != sealed {
		t.Error("what was read is not what was written")
	}
	if err := os.WriteFile(path, []byte(sealed[:100]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), path) {
		t.Errorf("a truncated file: %v, want ErrUnreadable with the path", err)
	}
	if err := os.WriteFile(path, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a file too large: %v, want ErrUnreadable", err)
	}
}

var update = flag.Bool("update", false, "rewrite testdata/session.json")

// vector is a session that every later version must still open.
type vector struct {
	Comment        string            `json:"comment"`
	Seed           uint64            `json:"seed"`
	Token          string            `json:"token"`
	Fingerprint    string            `json:"fingerprint"`
	Epoch          int64             `json:"epoch"`
	Payload        map[string]string `json:"payload"`
	Session        string            `json:"session"`
	PreviousToken  string            `json:"previous_token"`
	PreviousEpoch  int64             `json:"previous_epoch"`
	SessionDisplay string            `json:"session_fingerprint"`
}

// Sessions of all versions open for ever.
func TestVectors(t *testing.T) {
	password, key := credentials.Secrets.Reveal()
	integration := map[string]string{
		"account_url": credentials.AccountURL, "account_id": credentials.AccountID, "email": credentials.Email,
		"master_password": password, "secret_key": key,
	}
	ends := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, row := range []struct {
		path        string
		credentials Credentials
		payload     map[string]string
		ends        time.Time
	}{
		{"testdata/session.json", credentials, integration, time.Time{}},
		{"testdata/session_v2.json", credentials, integration, ends},
		{"testdata/session_v3.json", directory, map[string]string{"token": directory.Token.Reveal()}, ends},
	} {
		t.Run(row.path, func(t *testing.T) { testVector(t, row.path, row.credentials, row.payload, row.ends) })
	}
}

func testVector(t *testing.T, path string, sealed Credentials, payload map[string]string, ends time.Time) {
	t.Helper()
	// Without randomness Seal always writes the same: the format stands still.
	made := func(seed uint64) vector {
		cryptotest.SetGlobalRandom(t, seed)
		older, newer := newToken(t), newToken(t)
		previous := mustParse(t, mustSealAs(t, older, 6, sealed, nil)).Entries[0]
		bundle := mustSealAs(t, newer, 7, sealed, &Previous{Entry: previous, Expires: ends})
		return vector{
			Comment:        "token, fingerprint and session as made from the seed; payload is the plaintext",
			Seed:           seed,
			Token:          newer.Reveal(),
			Fingerprint:    newer.Fingerprint(),
			Epoch:          7,
			Payload:        payload,
			Session:        bundle,
			PreviousToken:  older.Reveal(),
			PreviousEpoch:  6,
			SessionDisplay: mustParse(t, bundle).Fingerprint(),
		}
	}
	if *update {
		text, err := json.MarshalIndent(made(1), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want vector
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if got := made(want.Seed); !reflect.DeepEqual(got, want) {
		t.Errorf("made from seed %d:\n%+v\nwant\n%+v", want.Seed, got, want)
	}

	f := mustParse(t, want.Session)
	for _, token := range []string{want.Token, want.PreviousToken} {
		parsed, err := ParseToken(token)
		if err != nil {
			t.Fatal(err)
		}
		e, ok := f.Match(parsed)
		if !ok {
			t.Fatal("a token of the vector does not match its session")
		}
		got, err := e.Open(parsed)
		if err != nil {
			t.Fatal(err)
		}
		if want, ok := sealed.(Directory); ok {
			wantDirectory(t, got, want)
		} else {
			wantCredentials(t, got)
		}
	}
	wantOpenedByHand(t, want)
}

// wantOpenedByHand opens the vector with nothing but the package comment and
// the standard library.
func wantOpenedByHand(t *testing.T, v vector) {
	t.Helper()
	line, _, _ := strings.Cut(v.Session, "\n")
	var parts [5][]byte
	for i, p := range strings.Split(line, ".") {
		parts[i], _ = base64.RawURLEncoding.DecodeString(p)
	}
	var header struct{ Salt, Fingerprint string }
	if err := json.Unmarshal(parts[0], &header); err != nil {
		t.Fatal(err)
	}
	salt, _ := base64.RawURLEncoding.DecodeString(header.Salt)
	random, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(v.Token, "sbt1_"))
	key, err := hkdf.Key(sha256.New, random[:32], salt, "scimbridge/session/key/v1", 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	encoded, _, _ := strings.Cut(line, ".")
	plaintext, err := gcm.Open(nil, parts[2], append(parts[3], parts[4]...), []byte(encoded))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(plaintext, &got); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, v.Payload) {
		t.Errorf("opened by hand: %+v, want %+v", got, v.Payload)
	}
}
