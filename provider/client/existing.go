package client

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Existing are the objects that a run cannot create because they exist: a run
// that was killed while it created many leaves objects that no state has. The
// first error lists all whose addresses the configuration shows, and the others
// refer to it. The zero value is ready.
type Existing struct {
	mu   sync.Mutex
	told map[string]bool // the first error had their blocks; nil before it
	made map[string]bool
}

// Made is called for an object that the run has made: no error lists it.
func (e *Existing) Made(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	add(&e.made, id)
}

// toImport are the import blocks for what is in the way, the id that was just
// refused among them, from addresses by ids. A later refusal of the run has
// none if the first one had it; one of unknown address has its own.
func (e *Existing) toImport(kind, refused string, find func() map[string]string) (blocks []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.told[refused]:
		return nil
	case e.told != nil:
		return []string{ImportBlock(kind+".<name>", refused)}
	}
	addresses := find()
	e.told = make(map[string]bool)
	if addresses[refused] == "" {
		blocks = append(blocks, ImportBlock(kind+".<name>", refused))
	}
	var known []string
	for id, address := range addresses {
		if !e.made[id] {
			known = append(known, ImportBlock(address, id))
			e.told[id] = true
		}
	}
	slices.Sort(known)
	return append(blocks, known...)
}

// ImportBlock is what to paste to import an object.
func ImportBlock(address, id string) string {
	return fmt.Sprintf("import {\n  to = %s\n  id = %q\n}", address, id)
}

// Describe returns the text of the error for an object that exists: one is the
// sentence about it, and all the plural of its kind. find returns the addresses,
// by id, of the objects in the configuration that exist.
func (e *Existing) Describe(kind, refused, one, all string, find func() map[string]string) string {
	blocks := e.toImport(kind, refused, find)
	const adopt = "adopt_existing = true takes it over without a block. "
	switch {
	case len(blocks) == 0:
		return one + " The first error of this kind has the import block."
	case len(blocks) == 1:
		return one + " Nothing was made. To manage it here, import it:\n\n" + blocks[0] + "\n\n" + adopt
	}
	return fmt.Sprintf("%s Nothing was made. It is one of %d %s of this configuration that the account has, "+
		"for instance because a run was killed. To manage them here, import them; a block for what is in the state already "+
		"does nothing:\n\n%s\n\nOr set adopt_existing = true, which takes over what is there. ",
		one, len(blocks), all, strings.Join(blocks, "\n"))
}
