package bundle

import (
	"slices"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// A Pseudonym is what stands for something in the bundles made beside a journal.
type Pseudonym struct{ Text, Of string }

// Pseudonyms returns what may stand for an id, an address, a userName or the name of a group, and for those who had the
// name, as far as the journal still knows.
func Pseudonyms(a journal.Archive, name string) []Pseudonym {
	p := newPseudonyms(a, nil)
	name = inputtext.TrimBlanks(name)
	if inputtext.IsOpaqueID(name) {
		return []Pseudonym{{p.id(name), "the id"}}
	}
	all := []Pseudonym{
		{p.name(name), "a userName or an e-mail address"}, {p.groupName(name), "the name of a group"},
		{text + "-" + p.ofPerson(name).letters(lettersOfWord), "a word of a log line"},
	}
	ofPerson, ofGroup := a.Person(name), a.Group(name)
	for e := range a.Events() {
		var found Pseudonym
		switch {
		case e.Subject == "":
			continue
		case e.Subject == ofPerson && e.Person != "":
			found = Pseudonym{p.id(e.Person), "the id of a person with this userName"}
		case e.Subject == ofGroup && e.Group != "":
			found = Pseudonym{p.id(e.Group), "the id of a group with this name"}
		default:
			continue
		}
		if !slices.Contains(all, found) {
			all = append(all, found)
		}
	}
	return all
}
