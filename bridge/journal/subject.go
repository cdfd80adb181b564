package journal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

const (
	keyFile = "key"
	keySize = 32
)

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
	name = strings.ToLower(inputtext.TrimBlanks(name))
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
	if folder == "" {
		return nil
	}
	key, err := durable.ReadFile(filepath.Join(folder, keyFile), keySize)
	if err != nil || len(key) != keySize {
		return nil
	}
	return newSubjectKey(key)
}

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
	path := filepath.Join(folder, keyFile)
	if info, err := os.Lstat(path); err == nil && info.Size() != keySize { // the disk was full
		_ = os.Remove(path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	if _, err := f.Write(key); err != nil {
		_ = os.Remove(path)
	}
}
