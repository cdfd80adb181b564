package journal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

const keySize = 32

// A subjectKey makes digests of names. It is random and stays on the machine: without it, a digest says nothing, also
// of an address that somebody guesses.
type subjectKey struct {
	key    []byte
	hashes sync.Pool // of hash.Hash, under the key
}

func newSubjectKey(key []byte) *subjectKey {
	k := &subjectKey{key: key}
	k.hashes.New = func() any { return hmac.New(sha256.New, key) }
	return k
}

// of returns the digest of a name of a kind of resource. Case and blanks around it do not count.
func (k *subjectKey) of(resource, name string) string {
	return k.digest(resource, inputtext.Fold(inputtext.TrimBlanks(name)))
}

// all returns the digests under which a name may be: older versions knew no case folding but that of letters.
func (k *subjectKey) all(resource, name string) []string {
	name = inputtext.TrimBlanks(name)
	digests := []string{k.digest(resource, inputtext.Fold(name))}
	if older := k.digest(resource, strings.ToLower(name)); older != digests[0] {
		digests = append(digests, older)
	}
	return slices.DeleteFunc(digests, func(digest string) bool { return digest == "" })
}

func (k *subjectKey) digest(resource, name string) string {
	if name == "" || k == nil {
		return ""
	}
	h := k.hashes.Get().(hash.Hash)
	defer k.hashes.Put(h)
	h.Reset()
	h.Write([]byte("scim-bridge journal " + resource + "\x00" + name))
	var sum [sha256.Size]byte
	return subjectPrefix + subjectText.EncodeToString(h.Sum(sum[:0])[:subjectSize])
}

const (
	subjectPrefix = "s_"
	subjectSize   = 15 // bytes, which are 24 characters
)

var subjectText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func isSubject(s string) bool {
	rest, ok := strings.CutPrefix(s, subjectPrefix)
	return ok && len(rest) == subjectText.EncodedLen(subjectSize) && consistsOf(rest, len(rest), "az27")
}

// readKey reads the key in the journal's folder; nil if there is none.
func readKey(folder string) *subjectKey {
	key, err := loadKey(folder)
	if err != nil {
		return nil
	}
	return newSubjectKey(key)
}

// errDamaged is the error for a file that holds no key.
var errDamaged = errors.New("the file holds no key")

// loadKey reads the key. One of zeros is none: a loss of power may have left them, and whoever expects that could try
// names against the digests.
func loadKey(folder string) ([]byte, error) {
	if folder == "" {
		return nil, fs.ErrNotExist
	}
	key, err := durable.ReadFile(filepath.Join(folder, KeyFile), keySize)
	if errors.Is(err, durable.ErrTooLarge) || err == nil && (len(key) != keySize || isZero(key)) {
		return nil, errDamaged
	}
	return key, err
}

func isZero(key []byte) bool { return subtle.ConstantTimeCompare(key, make([]byte, len(key))) == 1 }

// openKey reads the key, or makes one. If it cannot be kept now, it is right until the process ends.
func openKey(folder string) *subjectKey {
	if kept := readKey(folder); kept != nil {
		return kept
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	keepKey(folder, key)
	if kept := readKey(folder); kept != nil { // another process may have been first
		return kept
	}
	return newSubjectKey(key)
}

// keepKey writes a key unless there is one. That it cannot be written is told of the events.
func keepKey(folder string, key []byte) {
	if folder == "" {
		return
	}
	_ = os.Mkdir(folder, 0o700) // it may be there
	path := filepath.Join(folder, KeyFile)
	switch _, err := loadKey(folder); {
	case err == nil:
		return
	case errors.Is(err, errDamaged):
		_ = os.Remove(path)
	}
	_ = durable.CreateFile(path, key)
}
