package bundle

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"hash"
	"io"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// pseudonyms stand for people, groups and words. They depend on a key that stays with the bridge: without it, a
// pseudonym says nothing, also of a name that somebody guesses.
//
// It holds sums of texts instead of the texts: a journal may be about a hundred thousand people.
type pseudonyms struct {
	mac     hash.Hash
	archive journal.Archive
	// people has whose id a digest of a userName or an address belongs to, and groups those of groups' names.
	people, groups map[sum]sum
	kinds          map[sum]string    // of ids: person or group
	asked          map[string]string // what known has returned
}

// A sum of a text is what its pseudonym is made of.
type sum [8]byte

const (
	person  = "person"
	group   = "group"
	unknown = "id" // of a person, a group or something else
)

// newPseudonyms reads the journal for who is who: one person is in it by an id, or by a userName before there was one.
func newPseudonyms(a journal.Archive, waiting []bridge.Attention) *pseudonyms {
	p := &pseudonyms{
		mac: hmac.New(sha256.New, a.Key("support bundle")), archive: a,
		people: map[sum]sum{}, groups: map[sum]sum{}, kinds: map[sum]string{}, asked: map[string]string{},
	}
	for e := range a.Events() {
		p.noteKind(e.Person, person)
		p.noteKind(e.Group, group)
		switch {
		case e.Subject == "":
		case e.Person != "":
			p.people[p.sum(e.Subject)] = p.sum(e.Person)
		case e.Group != "":
			p.groups[p.sum(e.Subject)] = p.sum(e.Group)
		}
	}
	for e := range a.Reads() {
		p.noteKind(e.Person, person)
	}
	for _, w := range waiting {
		p.noteKind(w.PersonID, person)
		for _, name := range []string{w.Address, w.UserName} {
			if digest := a.Person(name); digest != "" && w.PersonID != "" {
				p.people[p.sum(digest)] = p.sum(w.PersonID)
			}
		}
	}
	return p
}

func (p *pseudonyms) noteKind(id, kind string) {
	if id != "" {
		p.kinds[p.sum(id)] = kind
	}
}

// letters is base32 in lower case.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (p *pseudonyms) sum(text string) (s sum) {
	p.mac.Reset()
	_, _ = io.WriteString(p.mac, text) // never fails
	var all [sha256.Size]byte
	copy(s[:], p.mac.Sum(all[:0]))
	return s
}

const (
	lettersOfID   = 12 // 60 bits: one of a hundred thousand people is no other's
	lettersOfWord = 6
)

func (s sum) letters(n int) string { return letters.EncodeToString(s[:])[:n] }

// id returns what stands for an id.
func (p *pseudonyms) id(id string) string {
	s := p.sum(id)
	kind := p.kinds[s]
	if kind == "" {
		kind = unknown
	}
	return kind + "-" + s.letters(lettersOfID)
}

// address returns what stands for an e-mail address or a userName: the same as for the id of whom it belongs to.
func (p *pseudonyms) address(address string) string {
	return p.subject(person, p.people, p.archive.Person(address), normal(address))
}

// groupName returns what stands for a group's name.
func (p *pseudonyms) groupName(name string) string {
	return p.subject(group, p.groups, p.archive.Group(name), normal(name))
}

// subject returns what stands for a name with a digest, which may be empty.
func (p *pseudonyms) subject(kind string, ids map[sum]sum, digest, name string) string {
	s := p.sum(cmp.Or(digest, name))
	if id, found := ids[s]; found {
		s = id
	}
	return kind + "-" + s.letters(lettersOfID)
}

func normal(name string) string { return strings.ToLower(inputtext.TrimBlanks(name)) }

// maxAsked bounds the answers that are kept.
const maxAsked = 1 << 14

// known returns what stands for a userName or a group's name of which the journal has the digest; "" for others.
func (p *pseudonyms) known(name string) string {
	found, asked := p.asked[name]
	if asked {
		return found
	}
	if _, isPerson := p.people[p.sum(p.archive.Person(name))]; isPerson {
		found = p.address(name)
	} else if _, isGroup := p.groups[p.sum(p.archive.Group(name))]; isGroup {
		found = p.groupName(name)
	}
	if len(p.asked) < maxAsked {
		p.asked[name] = found
	}
	return found
}

// value returns what stands for the value of a field about people or groups.
func (p *pseudonyms) value(text string) string {
	switch {
	case inputtext.IsOpaqueID(text):
		return p.id(text)
	case p.known(text) != "":
		return p.known(text)
	case strings.Contains(text, "@") && !strings.ContainsAny(text, `" ,`):
		return p.address(text)
	default:
		return p.word(text)
	}
}

// word returns what stands for a word that is not in the vocabulary.
func (p *pseudonyms) word(word string) string {
	if found := p.known(word); found != "" {
		return found
	}
	return "text-" + p.sum("word\x00"+word).letters(lettersOfWord)
}
