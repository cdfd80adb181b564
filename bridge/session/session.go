package session

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

// Limits, checked before anything is parsed. In bytes.
const (
	maxFile   = 64 << 10 // also the account's limit for a session
	maxLine   = 16 << 10
	maxHeader = 2 << 10
)

const (
	version          = 1
	versionEnding    = 2 // with the end of the previous session
	versionDirectory = 3 // with a directory's address instead of an account
	contentType      = "scimbridge-session"
	saltSize         = 32
	ivSize           = 12
	tagSize          = 16
)

var (
	// ErrWrongToken is the error for a session that was sealed under another token.
	ErrWrongToken = errors.New("the session was sealed under another bearer token")
	// ErrUnreadable is the error for a text that is not a session, or a damaged one.
	ErrUnreadable = errors.New("the session cannot be read")
)

// A Header is the readable part of a session. It is authenticated, but only Open checks
// that.
type Header struct {
	Version int
	Epoch   int64 // credential generation
	// AccountID is the account of an Integration, and DirectoryURL the address of a
	// Directory; the other one is empty.
	AccountID        string
	DirectoryURL     string
	TokenFingerprint string
	// The second session of the bundle; empty if there is none.
	PreviousFingerprint string
	PreviousEpoch       int64
	// PreviousExpires is the end of the overlap, after which the second session's token
	// is invalid; zero in a bundle of version 1.
	PreviousExpires time.Time
}

// Kind returns the kind of the session's credentials.
func (h Header) Kind() Kind {
	if h.DirectoryURL != "" {
		return KindDirectory
	}
	return KindIntegration
}

// A Previous is the replaced session in a bundle.
type Previous struct {
	Entry Entry
	// Expires is the end of the overlap; zero if it is not known, which only an account
	// can make up for.
	Expires time.Time
}

// A File is a session or a bundle of two.
type File struct {
	Entries []Entry // newest first; one or two
}

// An Entry is one sealed session.
type Entry struct {
	Header Header
	text   string
	salt   []byte
}

// header is the encoded protected header. encoding/json writes the members in this
// order, which is alphabetical, as go-jose does.
type header struct {
	Account             string `json:"account,omitempty"`
	Alg                 string `json:"alg"`
	Directory           string `json:"directory,omitempty"`
	Enc                 string `json:"enc"`
	Epoch               int64  `json:"epoch"`
	Fingerprint         string `json:"fingerprint"`
	PreviousEpoch       int64  `json:"previous_epoch,omitempty"`
	PreviousExpires     int64  `json:"previous_expires,omitempty"`
	PreviousFingerprint string `json:"previous_fingerprint,omitempty"`
	Salt                string `json:"salt"`
	Typ                 string `json:"typ"`
	Version             int    `json:"version"`
}

// Seal encrypts c, the credentials of the given epoch, under t. With previous,
// which stays sealed under its own token, the result is a bundle.
func Seal(t Token, epoch int64, c Credentials, previous *Previous) (string, error) {
	if t.IsZero() {
		return "", errors.New("seal the session: the bearer token is empty")
	}
	h := c.header()
	h.Epoch, h.TokenFingerprint = epoch, t.Fingerprint()
	if previous != nil {
		h.PreviousFingerprint = previous.Entry.Header.TokenFingerprint
		h.PreviousEpoch = previous.Entry.Header.Epoch
		h.PreviousExpires = previous.Expires
		if h.Version == version && !previous.Expires.IsZero() {
			h.Version = versionEnding
		}
	}
	sealed, err := seal(t, h, c)
	if err != nil {
		return "", fmt.Errorf("seal the session: %w", err)
	}
	if previous != nil {
		sealed += "\n" + previous.Entry.text
	}
	// A session that cannot be read again must not be stored, so the limits apply here too.
	if _, err := Parse(sealed); err != nil {
		return "", fmt.Errorf("seal the session: %w", err)
	}
	return sealed, nil
}

func seal(t Token, h Header, c Credentials) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	key, err := t.sessionKey(salt)
	if err != nil {
		return "", err
	}
	options := new(jose.EncrypterOptions).
		WithType(contentType).
		WithHeader("epoch", h.Epoch).
		WithHeader("fingerprint", h.TokenFingerprint).
		WithHeader("salt", base64.RawURLEncoding.EncodeToString(salt)).
		WithHeader("version", h.Version)
	if h.AccountID != "" {
		options.WithHeader("account", h.AccountID)
	}
	if h.DirectoryURL != "" {
		options.WithHeader("directory", h.DirectoryURL)
	}
	if h.PreviousFingerprint != "" {
		options.WithHeader("previous_fingerprint", h.PreviousFingerprint)
	}
	if h.PreviousEpoch != 0 {
		options.WithHeader("previous_epoch", h.PreviousEpoch)
	}
	if !h.PreviousExpires.IsZero() {
		options.WithHeader("previous_expires", h.PreviousExpires.Unix())
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: key}, options)
	if err != nil {
		return "", err
	}
	plaintext, err := json.Marshal(c.payload())
	if err != nil {
		return "", err
	}
	jwe, err := encrypter.Encrypt(plaintext)
	if err != nil {
		return "", err
	}
	return jwe.CompactSerialize()
}

// Parse parses a session or bundle without opening it. Every error is ErrUnreadable and
// describes the fault.
func Parse(text string) (File, error) {
	if len(text) > maxFile {
		return File{}, unreadable("it has %d bytes; at most %d are allowed", len(text), maxFile)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return File{}, unreadable("it is empty")
	}
	lines := strings.Split(text, "\n")
	if len(lines) > 2 {
		return File{}, unreadable("it has %d lines; a session has one, a bundle two", len(lines))
	}
	var f File
	for i, l := range lines {
		e, err := parseEntry(strings.TrimSuffix(l, "\r"))
		if err != nil && len(lines) > 1 {
			err = fmt.Errorf("line %d: %w", i+1, err)
		}
		if err != nil {
			return File{}, err
		}
		f.Entries = append(f.Entries, e)
	}
	return f, f.validate()
}

// validate checks that the bundle matches its first header.
func (f File) validate() error {
	newest := f.Entries[0].Header
	if len(f.Entries) == 1 {
		if newest.PreviousFingerprint != "" {
			return unreadable("it is truncated: the previous session on its second line is missing")
		}
		return nil
	}
	previous := f.Entries[1].Header
	if newest.PreviousFingerprint != previous.TokenFingerprint || newest.PreviousEpoch != previous.Epoch ||
		newest.AccountID != previous.AccountID || newest.DirectoryURL != previous.DirectoryURL {
		return unreadable("its two lines do not belong together")
	}
	return nil
}

// parseEntry parses one compact JWE.
func parseEntry(text string) (Entry, error) {
	if len(text) > maxLine {
		return Entry{}, unreadable("it has %d bytes; at most %d are allowed", len(text), maxLine)
	}
	parts := strings.Split(text, ".")
	switch {
	case !strings.HasPrefix(text, "eyJ"): // base64url of {"
		return Entry{}, unreadable("this is not a session; one begins with eyJ")
	case len(parts) < 5:
		return Entry{}, unreadable("it is truncated: it has %d of 5 parts", len(parts))
	case len(parts) > 5:
		return Entry{}, unreadable("it has %d parts; a session has 5", len(parts))
	case len(parts[4]) < base64.RawURLEncoding.EncodedLen(tagSize):
		return Entry{}, unreadable("it is truncated: part 5 must have %d bytes", tagSize)
	}
	var raw [5][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = decodeBase64(p); err != nil {
			return Entry{}, unreadable("part %d is damaged: not base64url", i+1)
		}
	}
	switch {
	case len(raw[1]) != 0:
		return Entry{}, unreadable("part 2 is not empty: no key is wrapped in a session")
	case len(raw[2]) != ivSize:
		return Entry{}, unreadable("part 3 is damaged: it must have %d bytes", ivSize)
	case len(raw[4]) != tagSize:
		return Entry{}, unreadable("part 5 is damaged: it must have %d bytes", tagSize)
	}
	h, err := parseHeader(raw[0])
	if err != nil {
		return Entry{}, err
	}
	salt, err := decodeBase64(h.Salt)
	if err != nil || len(salt) != saltSize {
		return Entry{}, unreadable("its salt must be %d bytes in base64url", saltSize)
	}
	return Entry{
		Header: Header{
			Version:             h.Version,
			Epoch:               h.Epoch,
			AccountID:           h.Account,
			DirectoryURL:        h.Directory,
			TokenFingerprint:    h.Fingerprint,
			PreviousFingerprint: h.PreviousFingerprint,
			PreviousEpoch:       h.PreviousEpoch,
			PreviousExpires:     timeOf(h.PreviousExpires),
		},
		text: text,
		salt: salt,
	}, nil
}

// parseHeader accepts only the exact encoding that Seal writes. One comparison thereby
// refuses everything that JOSE leaves open: "zip", "crit", "kid" and other members,
// repeated members, and everything that parsers could interpret differently.
func parseHeader(raw []byte) (header, error) {
	if len(raw) > maxHeader {
		return header{}, unreadable("its header has %d bytes; at most %d are allowed", len(raw), maxHeader)
	}
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return header{}, unreadable("its header is damaged: unexpected JSON")
	}
	if h.Typ != contentType {
		return header{}, unreadable("this is not a session: its typ is %q, not %q", h.Typ, contentType)
	}
	if h.Version < version || h.Version > versionDirectory {
		return header{}, unreadable("its version is %d, but this program supports up to %d; update it", h.Version,
			versionDirectory)
	}
	if h.Alg != string(jose.DIRECT) || h.Enc != string(jose.A256GCM) {
		return header{}, unreadable("it is encrypted with %q and %q; only dir and A256GCM are accepted", h.Alg, h.Enc)
	}
	if spelling, err := json.Marshal(h); err != nil || !bytes.Equal(spelling, raw) {
		return header{}, unreadable("its header does not have the form of version %d", h.Version)
	}
	if !h.endsAsItsVersion() {
		return header{}, unreadable("its header has only one of the previous session and its expiry")
	}
	if err := h.checkFarSide(); err != nil {
		return header{}, err
	}
	if h.Epoch < 0 || h.PreviousEpoch < 0 {
		return header{}, unreadable("its header has a negative epoch")
	}
	if !isFingerprint(h.Fingerprint) || h.PreviousFingerprint != "" && !isFingerprint(h.PreviousFingerprint) {
		return header{}, unreadable("a token fingerprint in its header is damaged")
	}
	return h, nil
}

// endsAsItsVersion reports whether the header has an expiry of the previous session
// exactly if its version says so: none in version 1, one in version 2, and in version 3
// one if there is a previous session.
func (h header) endsAsItsVersion() bool {
	ends := h.Version == versionEnding || h.Version == versionDirectory && h.PreviousFingerprint != ""
	return ends == (h.PreviousExpires != 0) && h.PreviousExpires >= 0 &&
		(h.PreviousExpires == 0 || h.PreviousFingerprint != "")
}

// checkFarSide checks that the header names an account or a directory, as its version
// says.
func (h header) checkFarSide() error {
	switch {
	case h.Version != versionDirectory && h.Account == "":
		return unreadable("its header names no account")
	case h.Version == versionDirectory && h.Directory == "":
		return unreadable("its header names no directory")
	case h.Account != "" && h.Directory != "":
		return unreadable("its header names both an account and a directory")
	case h.Directory == "":
		return nil
	}
	if clean, err := ParseDirectoryURL(h.Directory); err != nil || clean != h.Directory {
		return unreadable("the directory's address in its header is damaged")
	}
	if h.PreviousFingerprint != "" && h.PreviousEpoch >= h.Epoch {
		return unreadable("its header names a previous session that is not older")
	}
	return nil
}

func timeOf(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func isFingerprint(s string) bool {
	_, err := decodeBase64(s)
	return err == nil && len(s) == fingerprintLen
}

// Open decrypts the session. Another token is ErrWrongToken, a changed session
// ErrUnreadable. (If the fingerprint in the header was changed, the right token is
// ErrWrongToken.)
func (e Entry) Open(t Token) (Credentials, error) {
	if t.Fingerprint() != e.Header.TokenFingerprint {
		return nil, ErrWrongToken
	}
	key, err := t.sessionKey(e.salt)
	if err != nil {
		return nil, fmt.Errorf("open the session: %w", err)
	}
	jwe, err := jose.ParseEncryptedCompact(e.text, []jose.KeyAlgorithm{jose.DIRECT},
		[]jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, unreadable("it is damaged: %v", err)
	}
	plaintext, err := jwe.Decrypt(key)
	if err != nil {
		return nil, unreadable("it is damaged: the token is right, but the content was changed after sealing")
	}
	if e.Header.Kind() == KindDirectory {
		return openDirectory(e.Header, plaintext)
	}
	return openIntegration(e.Header, plaintext)
}

// Match returns the entry that t opens, if there is one.
func (f File) Match(t Token) (Entry, bool) {
	fingerprint := t.Fingerprint()
	for _, e := range f.Entries {
		if e.Header.TokenFingerprint == fingerprint {
			return e, true
		}
	}
	return Entry{}, false
}

// String returns the sealed text, without a line break at the end.
func (f File) String() string {
	lines := make([]string, len(f.Entries))
	for i, e := range f.Entries {
		lines[i] = e.text
	}
	return strings.Join(lines, "\n")
}

// Fingerprint returns 16 characters that identify the sealed text. It changes with every
// sealing.
func (f File) Fingerprint() string {
	sum := sha256.Sum256([]byte(f.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// ReadFile reads and parses the file at path. A missing file is fs.ErrNotExist, an
// invalid one ErrUnreadable. The error of a file that cannot be read does not name it.
func ReadFile(path string) (File, error) {
	text, err := durable.ReadFile(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, fmt.Errorf("there is no such file: %w", fs.ErrNotExist)
	case err != nil:
		// Without the name, which may be a secret: see MistakeError.
		return File{}, fmt.Errorf("%w: %w", ErrUnreadable, durable.Reason(err))
	}
	f, err := Parse(string(text))
	if err != nil {
		return File{}, fmt.Errorf("%q: %w", path, err)
	}
	return f, nil
}

// WriteFile writes a sealed session, readable only by its owner. After a crash the file is
// the old or the new one.
func WriteFile(path, sealed string) error {
	return durable.WriteFile(path, []byte(sealed+"\n"))
}

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnreadable, fmt.Sprintf(format, args...))
}
