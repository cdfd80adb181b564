package client

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Existing records the objects that a run cannot create because they exist, for instance
// after a run that was killed while it created many. The first error lists all objects
// whose addresses the configuration shows, and later errors refer to it. The zero value is
// ready to use.
type Existing struct {
	mu   sync.Mutex
	told map[string]bool // listed by the first error; nil before it
	made map[string]bool
}

// Made is called for an object that the run has created, so that no error lists it.
func (e *Existing) Made(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	add(&e.made, id)
}

// toImport returns the import blocks for the existing objects, including the one that was
// just refused. Find returns addresses by id. A later error has no block if the first one
// had it; for an unknown address it has its own.
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

// ImportBlock returns the block that imports an object.
func ImportBlock(address, id string) string {
	return fmt.Sprintf("import {\n  to = %s\n  id = %q\n}", address, id)
}

// Describe returns the error text for an existing object: one is the sentence about it,
// all the plural of its kind. Find returns the addresses, by id, of the configured objects
// that exist.
func (e *Existing) Describe(kind, refused, one, all string, find func() map[string]string) string {
	blocks := e.toImport(kind, refused, find)
	const adopt = "adopt_existing = true adopts it without a block. "
	switch {
	case len(blocks) == 0:
		return one + " The first error of this kind has the import block."
	case len(blocks) == 1:
		return one + " Nothing was created. To manage it here, import it:\n\n" + blocks[0] + "\n\n" + adopt
	}
	return fmt.Sprintf("%s Nothing was created. It is one of %d %s of this configuration that exist already, "+
		"for instance after a run was killed. To manage them here, import them; "+
		"a block for an object that is already in the state has no effect:\n\n%s\n\n"+
		"Or set adopt_existing = true to adopt them. ",
		one, len(blocks), all, strings.Join(blocks, "\n"))
}
