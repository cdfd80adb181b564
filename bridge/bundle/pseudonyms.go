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
// The letters of a pseudonym are made of the id or the name alone, and not of what the journal knows: that a person
// has confirmed, or that the journal has dropped an event, changes no letter in the next bundle. Whose name it is, the
// journal's events and the list of those who wait say.
//
// It holds sums of texts instead of the texts: a journal may be about a hundred thousand people.
type pseudonyms struct {
	mac     hash.Hash
	archive journal.Archive
	// people and groups are the digests of names that are known to be names.
	people, groups map[sum]bool
	kinds          map[sum]string    // of ids: person or group
	asked          map[string]string // what known has returned
}

// A sum of a text is what its pseudonym is made of.
type sum [8]byte

const (
	person  = "person"
	group   = "group"
	unknown = "id"   // of a person, a group or something else
	name    = "name" // a userName, an e-mail address or the name of a group
	text    = "text"
)

// newPseudonyms reads the journal for what is a name, and for the kinds of ids.
func newPseudonyms(a journal.Archive, waiting []bridge.Attention) *pseudonyms {
	p := &pseudonyms{
		mac: hmac.New(sha256.New, a.Key("support bundle")), archive: a,
		people: map[sum]bool{}, groups: map[sum]bool{}, kinds: map[sum]string{}, asked: map[string]string{},
	}
	for e := range a.Events() {
		p.noteKind(e.Person, person)
		p.noteKind(e.Group, group)
		switch {
		case e.Subject == "":
		case isAboutGroup(&e):
			p.groups[p.sum(e.Subject)] = true
		default:
			p.people[p.sum(e.Subject)] = true
		}
	}
	for e := range a.Reads() {
		p.noteKind(e.Person, person)
	}
	for _, w := range waiting {
		p.noteKind(w.PersonID, person)
		for _, text := range []string{w.Address, w.UserName} {
			if text != "" {
				p.people[p.ofPerson(text)] = true
			}
		}
	}
	return p
}

// isAboutGroup reports whether an event's subject is the name of a group.
func isAboutGroup(e *journal.Event) bool {
	return e.Group != "" || strings.HasPrefix(string(e.Kind), group)
}

func (p *pseudonyms) noteKind(id, kind string) {
	if id != "" {
		p.kinds[p.sum(strings.ToLower(id))] = kind
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

// ofPerson returns the sum of a userName or an address, which the journal has as the subject of events.
func (p *pseudonyms) ofPerson(name string) sum {
	return p.sum(cmp.Or(p.archive.Person(name), normal(name)))
}

// ofGroup returns the sum of a group's name.
func (p *pseudonyms) ofGroup(name string) sum {
	return p.sum(cmp.Or(p.archive.Group(name), "group\x00"+normal(name)))
}

func normal(name string) string { return strings.ToLower(inputtext.TrimBlanks(name)) }

const (
	lettersOfID   = 12 // 60 bits: one of a hundred thousand people is no other's
	lettersOfWord = 6
)

func (s sum) letters(n int) string { return letters.EncodeToString(s[:])[:n] }

// id returns what stands for an id.
func (p *pseudonyms) id(id string) string {
	s := p.sum(strings.ToLower(id))
	return cmp.Or(p.kinds[s], unknown) + "-" + s.letters(lettersOfID)
}

// name returns what stands for an e-mail address or a userName.
func (p *pseudonyms) name(of string) string { return name + "-" + p.ofPerson(of).letters(lettersOfID) }

// groupName returns what stands for a group's name.
func (p *pseudonyms) groupName(of string) string {
	return name + "-" + p.ofGroup(of).letters(lettersOfID)
}

// subject returns what stands for the name of which the journal has a digest.
func (p *pseudonyms) subject(digest string) string {
	return name + "-" + p.sum(digest).letters(lettersOfID)
}

// word returns what stands for a word that is not in the vocabulary. It begins with the letters of the name that the
// word would be, so that a word that the journal no longer knows for a name is still recognised.
func (p *pseudonyms) word(word string) string {
	if found := p.known(word); found != "" {
		return found
	}
	return text + "-" + p.ofPerson(word).letters(lettersOfWord)
}

// maxAsked bounds the answers that are kept.
const maxAsked = 1 << 16

// known returns what stands for a userName or a group's name that is known to be one; "" for others.
func (p *pseudonyms) known(name string) string {
	if len(p.people)+len(p.groups) == 0 {
		return ""
	}
	found, asked := p.asked[name]
	if asked {
		return found
	}
	switch {
	case normal(name) == "":
	case p.people[p.ofPerson(name)]:
		found = p.name(name)
	case p.groups[p.ofGroup(name)]:
		found = p.groupName(name)
	}
	if len(p.asked) < maxAsked {
		p.asked[name] = found
	}
	return found
}

// value returns what stands for the value of a field about people or groups, which may be a list.
func (p *pseudonyms) value(value string) string { return p.replaceNames(value, p.one) }

// one returns what stands for an id or a name.
func (p *pseudonyms) one(value string) string {
	switch {
	case inputtext.IsOpaqueID(value):
		return p.id(value)
	case p.known(value) != "":
		return p.known(value)
	case strings.Contains(value, "@") && !strings.ContainsAny(value, `" ,`):
		return p.name(value)
	default:
		return p.word(value)
	}
}
