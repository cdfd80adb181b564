package ipdata

import (
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

// data is all that a database may tell of an address, in the order in which it
// is told. A new kind of firewall match that needs more of it has its row here.
var data = []datum{
	{string(firewall.Country), firewall.Country, func(r *record) (string, bool) {
		return r.country(), r.country() != ""
	}},
	{
		string(firewall.Continent), firewall.Continent,
		func(r *record) (string, bool) { return r.continent(), r.continent() != "" },
	},
	anonymous(firewall.CloudProvider),
	anonymous(firewall.VPN),
	anonymous(firewall.Tor),
	anonymous(firewall.PublicProxy),
}

// A datum is one thing that a record may tell.
type datum struct {
	name string
	fact firewall.Fact // that it is a value of
	// read returns the value that a record gives the fact, empty for none, and
	// whether the record tells of it at all.
	read func(*record) (value string, told bool)
}

// anonymous is the datum of one kind of anonymous addresses.
func anonymous(kind string) datum {
	return datum{kind, firewall.Anonymous, func(r *record) (string, bool) {
		switch r.is(kind) {
		case yes:
			return kind, true
		case no:
			return "", true
		default:
			return "", false
		}
	}}
}

// Databases are what addresses are looked up in. They are safe for concurrent
// use, and hold their files in memory: a file may be replaced under them.
// A nil pointer has no databases.
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

// Open reads the files and reports all faults together. The first file that has
// a place decides it; anonymous addresses are those of all files.
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

// Reload reads the files that were written since they were read, and reports
// whether there were any. One that is damaged (it may be half-written), or
// lacks data that it had, is an error, and its older contents stay: rules may
// depend on them. It must not run twice at a time.
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
			lost := slices.DeleteFunc(
				slices.Clone(before.answers), func(q string) bool { return slices.Contains(after.answers, q) },
			)
			if len(lost) > 0 {
				err = fmt.Errorf("it no longer tells %s of an address", strings.Join(lost, ", "))
			}
		}
		if err != nil {
			faults = append(
				faults, fmt.Errorf("reading the IP database %s again: %w; keeping what was read before",
					before.path, err),
			)
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
		return database{}, errors.Unwrap(err) // the caller names the path
	}
	// Not mapped into memory: the mapping would change when a newer file is
	// copied over this one.
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
		return database{}, fmt.Errorf(
			"it is of type %q and says nothing of countries, continents, autonomous systems or anonymous addresses",
			reader.Metadata.DatabaseType,
		)
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
		for _, d := range data {
			can[d.name] = d.fact == firewall.Anonymous
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
		for _, d := range data {
			_, told := d.read(&r)
			can[d.name] = can[d.name] || told
		}
	}
	for _, d := range data {
		if can[d.name] {
			answers = append(answers, d.name)
		}
	}
	return answers, nil
}

// Missing returns those of the data that no database tells.
func (d *Databases) Missing(required []string) (missing []string) {
	if len(required) == 0 {
		return nil // by far the most rules are about ranges
	}
	answers := d.Answers()
	for _, name := range required {
		if !slices.Contains(answers, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Answers returns the data that the databases tell.
func (d *Databases) Answers() (answers []string) {
	all := d.all()
	for _, datum := range data {
		if slices.ContainsFunc(all, func(db database) bool { return slices.Contains(db.answers, datum.name) }) {
			answers = append(answers, datum.name)
		}
	}
	return answers
}

// Subject returns an address with what the databases know of it.
func (d *Databases) Subject(address netip.Addr) firewall.Subject {
	s := firewall.Subject{Address: firewall.Normalize(address)}
	var found []record
	for _, db := range d.all() {
		if r, ok := db.look(s.Address); ok {
			found = append(found, r)
		}
	}
	for _, datum := range data {
		for i := range found {
			if value, _ := datum.read(&found[i]); value != "" {
				if s.Facts == nil {
					s.Facts = make(firewall.Facts)
				}
				s.Facts[datum.fact] = append(s.Facts[datum.fact], value)
				break
			}
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
