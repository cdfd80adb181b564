package journal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"iter"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/linestore"
)

// An Archive is all of a journal, to be handed on as a whole. The zero value is an empty one.
type Archive struct {
	events, reads, traffic func(linestore.Range) iter.Seq[linestore.Line] // oldest first
	key                    *subjectKey
}

// Archive returns what a journal has.
func (j *Journal) Archive() Archive {
	if j == nil {
		return Archive{}
	}
	return Archive{events: j.events.Oldest, reads: j.reads.Oldest, traffic: j.traffic.Oldest, key: j.key}
}

// OpenArchive returns what the journal in a data folder has, which a bridge may be writing.
func OpenArchive(dataDir string) Archive {
	events, reads, traffic := stores(Config{
		DataDir: dataDir, MaxBytes: defaultBytes, MaxAge: defaultAge, Now: time.Now,
	})
	return Archive{events: events.Oldest, reads: reads.Oldest, traffic: traffic.Oldest, key: readKey(events.Folder)}
}

// Events returns all but the summaries, oldest first.
func (a Archive) Events() iter.Seq[Event] { return parsed(a.events) }

// Reads returns how often people were read, oldest first.
func (a Archive) Reads() iter.Seq[Event] { return parsed(a.reads) }

// Traffic returns how requests were answered, oldest first.
func (a Archive) Traffic() iter.Seq[Event] { return parsed(a.traffic) }

func parsed(lines func(linestore.Range) iter.Seq[linestore.Line]) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if lines == nil {
			return
		}
		for line := range lines(linestore.Range{}) {
			if e, err := parseLine(line.Text); err == nil && !yield(e) {
				return
			}
		}
	}
}

// HasKey reports whether Key returns the same in the next archive, too.
func (a Archive) HasKey() bool { return a.key != nil }

// WithoutEvents returns an archive that has the key alone.
func (a Archive) WithoutEvents() Archive { return Archive{key: a.key} }

// Person returns the digest under which the journal has a userName; "" without a key.
func (a Archive) Person(userName string) string { return a.key.of("person", userName) }

// Group returns the digest under which the journal has a group's name; "" without a key.
func (a Archive) Group(name string) string { return a.key.of("group", name) }

// Key derives a key for a purpose from that of the digests. It is the same as long as the journal's folder is there.
// Without a journal it is random.
func (a Archive) Key(purpose string) []byte {
	secret := make([]byte, keySize)
	if a.key != nil {
		secret = a.key.key
	} else {
		_, _ = rand.Read(secret) // never fails
	}
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("scim-bridge journal key\x00" + purpose))
	return h.Sum(nil)
}
