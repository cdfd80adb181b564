package ipdata

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

var (
	kinds = []string{firewall.CloudProvider, firewall.VPN, firewall.Tor, firewall.PublicProxy}
	// questions are all that is ever asked, in the order in which it is told.
	questions = append([]string{firewall.Country, firewall.Continent}, kinds...)
)

// Databases are what addresses are looked up in. They are safe for concurrent
// use, and hold their files in memory: a file may be replaced under them.
// None at all, also as a nil pointer, answer nothing.
type Databases struct {
	now atomic.Pointer[[]database]
}

// A database is one file.
type database struct {
	path    string
	written time.Time // by the file's own word, like its size
	size    int64
	reader  *maxminddb.Reader
	answers []string
}

// Open reads the files and tells every fault in them at once. Of a place it
// is the first file that knows it which counts; of anonymous addresses, all.
func Open(paths ...string) (*Databases, error) {
	all := make([]database, len(paths))
	var faults []error
	for i, path := range paths {
		var err error
		if all[i], err = open(path); err != nil {
			faults = append(faults, fmt.Errorf("reading the IP database %s: %w", path, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	d := new(Databases)
	d.now.Store(&all)
	return d, nil
}

// Reload reads the files that were written anew since they were read, and
// says whether there were any. One that is damaged (it may be half-written
// yet), or cannot answer all that it could, is told, and what was read of it
// before stays: rules may depend on it. It must not run twice at a time.
func (d *Databases) Reload() (changed bool, err error) {
	all := slices.Clone(d.all())
	var faults []error
	for i, before := range all {
		info, err := os.Stat(before.path)
		if err == nil && info.ModTime().Equal(before.written) && info.Size() == before.size {
			continue
		}
		after, err := open(before.path)
		if err == nil {
			lost := slices.DeleteFunc(slices.Clone(before.answers), func(q string) bool { return slices.Contains(after.answers, q) })
			if len(lost) > 0 {
				err = fmt.Errorf("it no longer tells %s of an address", strings.Join(lost, ", "))
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("reading the IP database %s again: %w; keeping what was read before", before.path, err))
			continue
		}
		all[i], changed = after, true
	}
	if changed {
		d.now.Store(&all)
	}
	return changed, errors.Join(faults...)
}

// all are the files as they were read last.
func (d *Databases) all() []database {
	if d == nil || d.now.Load() == nil {
		return nil
	}
	return *d.now.Load()
}

func open(path string) (database, error) {
	info, err := os.Stat(path)
	if err != nil {
		return database{}, errors.Unwrap(err) // the path is told already
	}
	// Not mapped into memory: who copies a newer file over this one would
	// pull it away from under us.
	content, err := os.ReadFile(path)
	if err != nil {
		return database{}, errors.Unwrap(err)
	}
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		return database{}, fmt.Errorf("it is damaged, or no MMDB file: %w", err)
	}
	db := database{path: path, written: info.ModTime(), size: info.Size(), reader: reader}
	if db.answers, err = survey(reader); err != nil {
		return database{}, err
	}
	if len(db.answers) == 0 {
		return database{}, fmt.Errorf("it is of type %q and says nothing of countries, continents, autonomous systems or anonymous addresses",
			reader.Metadata.DatabaseType)
	}
	return db, nil
}

// sharedBranches is how many times more networks a database may have than its
// search tree has leaves.
const sharedBranches = 16

// survey reads every record of a database once: what it can answer is nowhere
// declared, and damage is better found now than by a request.
func survey(reader *maxminddb.Reader) (answers []string, err error) {
	can := make(map[string]bool)
	if strings.Contains(reader.Metadata.DatabaseType, "Anonymous") {
		// MaxMind's and those made like it write a flag only where it is set:
		// one that is nowhere set is a no everywhere.
		for _, kind := range kinds {
			can[kind] = true
		}
	}
	seen := make(map[uintptr]bool) // many networks share a record
	// A tree of n nodes has n+1 leaves, and somewhat more networks if the
	// writer saved space by sharing branches. A damaged tree can have as many
	// as there are addresses, so that the ones without data count as well.
	left := sharedBranches * (reader.Metadata.NodeCount + 1)
	for result := range reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if err := result.Err(); err != nil {
			return nil, fmt.Errorf("it is damaged: %w", err)
		}
		if left--; left == 0 {
			return nil, errors.New("it is damaged: its search tree has no end")
		}
		if !result.Found() || seen[result.Offset()] {
			continue
		}
		seen[result.Offset()] = true
		var r record
		if err := result.Decode(&r); err != nil {
			return nil, fmt.Errorf("it is damaged, or of a shape that is not known, at %s: %w", result.Prefix(), err)
		}
		for _, q := range questions {
			can[q] = can[q] || r.answers(q)
		}
	}
	return slices.DeleteFunc(slices.Clone(questions), func(q string) bool { return !can[q] }), nil
}

// answers says whether the record knows the answer to a question.
func (r *record) answers(question string) bool {
	switch question {
	case firewall.Country:
		return r.country() != ""
	case firewall.Continent:
		return r.continent() != ""
	default:
		return r.is(question) != unsaid
	}
}

// Missing returns those of the questions that no database answers.
func (d *Databases) Missing(asked []string) (missing []string) {
	if len(asked) == 0 {
		return nil // by far the most rules are about ranges
	}
	answers := d.Answers()
	for _, q := range asked {
		if !slices.Contains(answers, q) {
			missing = append(missing, q)
		}
	}
	return missing
}

// Answers returns the questions that the databases answer.
func (d *Databases) Answers() []string {
	all := d.all()
	return slices.DeleteFunc(slices.Clone(questions), func(q string) bool {
		return !slices.ContainsFunc(all, func(db database) bool { return slices.Contains(db.answers, q) })
	})
}

// Subject returns what the databases know of an address, as firewall rules
// ask for it.
func (d *Databases) Subject(address netip.Addr) firewall.Subject {
	s := firewall.Subject{Address: firewall.Normalize(address)}
	var found []record
	for _, db := range d.all() {
		if r, ok := db.look(s.Address); ok {
			found = append(found, r)
			s.Country = cmp.Or(s.Country, r.country())
			s.Continent = cmp.Or(s.Continent, r.continent())
		}
	}
	for _, kind := range kinds {
		if slices.ContainsFunc(found, func(r record) bool { return r.is(kind) == yes }) {
			s.Anonymous = append(s.Anonymous, kind)
		}
	}
	return s
}

func (db database) look(address netip.Addr) (r record, found bool) {
	if address.Is6() && db.reader.Metadata.IPVersion == 4 {
		return r, false
	}
	result := db.reader.Lookup(address)
	if !result.Found() {
		return r, false
	}
	// Every record was read when the file was opened, and has not changed since.
	err := result.Decode(&r)
	return r, err == nil
}
