package store

import (
	"context"
	"errors"
	"time"
)

// A Person is what the identity provider says of a member.
type Person struct {
	ID, MemberID  string
	UserName      string
	ExternalID    string
	DisplayName   string
	Attributes    string // JSON, as it is served
	WantedAddress string // what the identity provider says; may be empty
	WantedSince   time.Time
	WantedBlocked bool  // another member has the wanted address
	Version       int64 // set by InsertPerson
	CreatedAt     time.Time
	ModifiedAt    time.Time
	Position      int64 // in the order of creation; set by InsertPerson

	// Of other tables; not written with the row, which has copies of all but the groups' names.
	State          string
	Suspended      bool // as provisioning sees it: also if the suspension is held
	Address        string
	PendingAddress string
	Groups         []Reference // not to be changed
	// GroupNames is the sum of the versions of the names in Groups. It grows
	// with every change of them that is no change of the row: a group that is
	// renamed, or becomes managed. Joining and leaving are the row's.
	GroupNames int64

	groupIDs   string // of all groups, managed or not, with a space between them
	groupNames string // of these, as dialect.groupNames has them; empty if they were not asked for
}

// A Reference points from a group to a member of it, or from a person to a group.
type Reference struct {
	ID, Display string
	IsGroup     bool
}

// An Email is one of the e-mail addresses among a person's attributes.
type Email struct{ Value, Type string }

// personColumns has the longest text first: see Rows.
const personColumns = `p.attributes, p.id, p.member_id, p.user_name, p.external_id, p.display_name,
	p.wanted_address, p.wanted_since, p.wanted_blocked, p.version, p.created_at, p.modified_at, p.position,
	p.member_state, p.member_suspended, p.member_address, p.pending_address, p.group_ids`

// fields are where personColumns go, and the names of groups that were asked for behind them.
func (p *Person) fields() [19]any {
	return [...]any{
		&p.Attributes, &p.ID, &p.MemberID, &p.UserName, &p.ExternalID, &p.DisplayName, &p.WantedAddress,
		(*Time)(&p.WantedSince), &p.WantedBlocked, &p.Version, (*Time)(&p.CreatedAt),
		(*Time)(&p.ModifiedAt), &p.Position,
		&p.State, &p.Suspended, &p.Address, &p.PendingAddress, &p.groupIDs, &p.groupNames,
	}
}

// people reads personColumns, mostly of as many people as are expected. Their groups are left to loadGroups.
func (tx *Tx) people(ctx context.Context, expected int, query string, args ...any) ([]Person, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	people := make([]Person, 0, expected)
	for rows.Next() {
		people = append(people, Person{})
		fields := people[len(people)-1].fields()
		if err := rows.Scan(fields[:min(len(fields), rows.columns())]...); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
	}
	return people, rows.Close()
}

// Person returns the person with this id, groups included.
func (tx *Tx) Person(ctx context.Context, id string) (Person, bool, error) {
	people, err := tx.people(ctx, 1, `SELECT `+personColumns+tx.groupNames()+` FROM people p WHERE p.id = ?`, id)
	if err != nil || len(people) == 0 {
		return Person{}, false, err
	}
	err = tx.loadGroups(ctx, people)
	return people[0], true, err
}

// PersonAndMember returns the person with this id, groups included, and the member that it is.
func (tx *Tx) PersonAndMember(ctx context.Context, id string) (p Person, m Member, found bool, err error) {
	names := tx.groupNames()
	fields := p.fields()
	into := fields[:len(fields)-1]
	if names != "" {
		into = fields[:]
	}
	if _, found, err = One(ctx, tx, func(row Scanner) (none struct{}, err error) {
		return none, row.Scan(append(into, memberFields(&m)...)...)
	}, `SELECT `+personColumns+names+`, `+memberColumns+memberTables+`WHERE p.id = ?`, id); err != nil || !found {
		return p, m, false, err
	}
	people := []Person{p}
	err = tx.loadGroups(ctx, people)
	return people[0], m, true, err
}

// PersonID returns the id of the person with this userName, without regard to
// case; it is empty if there is none.
func (tx *Tx) PersonID(ctx context.Context, userName string) (string, error) {
	id, _, err := One(ctx, tx, func(row Scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT id FROM people WHERE user_name_folded = ?`, Fold(userName))
	return id, err
}

// InsertPerson adds p at version 1, at the end of the order.
func (tx *Tx) InsertPerson(ctx context.Context, p *Person) error {
	p.Version = 1
	if tx.ahead.position > 0 {
		tx.ahead.position++
		p.Position = tx.ahead.position
	} else if err := tx.QueryRow(ctx, `SELECT COALESCE(max(position), 0) + 1 FROM people`).
		Scan(&p.Position); err != nil {
		return err
	}
	if err := tx.Send(ctx, `INSERT INTO people
			(id, member_id, user_name, user_name_folded, external_id, display_name, display_name_folded, attributes,
			wanted_address, wanted_since, wanted_blocked, created_at, modified_at, position)
		VALUES (?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''), NULLIF(?, ''), ?, ?, ?, ?, ?, ?, ?)`,
		p.ID, p.MemberID, p.UserName, Fold(p.UserName), p.ExternalID, p.DisplayName, Fold(p.DisplayName), p.Attributes,
		p.WantedAddress, Micros(p.WantedSince), p.WantedBlocked, Micros(p.CreatedAt), Micros(p.ModifiedAt),
		p.Position); err != nil {
		return err
	}
	return tx.updateOrderIndex(ctx, p.Position, +1)
}

// UpdatePerson writes p, which was before until now, as its next version. SQLite writes the entries of a row in an
// index anew whenever a statement sets one of the columns, so those are left out unless they change.
func (tx *Tx) UpdatePerson(ctx context.Context, before, p Person) error {
	if keysOf(before) == keysOf(p) {
		return tx.Send(ctx, `UPDATE people
			SET attributes = ?, wanted_address = ?, modified_at = ?, version = version + 1 WHERE id = ?`,
			p.Attributes, p.WantedAddress, Micros(p.ModifiedAt), p.ID)
	}
	return tx.Send(ctx, `UPDATE people
		SET member_id = ?, user_name = ?, user_name_folded = ?, external_id = NULLIF(?, ''),
			display_name = NULLIF(?, ''), display_name_folded = NULLIF(?, ''), attributes = ?,
			wanted_address = ?, wanted_since = ?, wanted_blocked = ?, modified_at = ?, version = version + 1
		WHERE id = ?`,
		p.MemberID, p.UserName, Fold(p.UserName), p.ExternalID,
		p.DisplayName, Fold(p.DisplayName), p.Attributes,
		p.WantedAddress, Micros(p.WantedSince), p.WantedBlocked, Micros(p.ModifiedAt), p.ID)
}

// personKeys are what UpdatePerson writes that is in an index.
type personKeys struct {
	memberID, userName, externalID, displayName string
	wantedSince                                 int64
	wantedBlocked                               bool
}

func keysOf(p Person) personKeys {
	return personKeys{p.MemberID, p.UserName, p.ExternalID, p.DisplayName, Micros(p.WantedSince), p.WantedBlocked}
}

// BumpPerson makes the next version of a person whose member changed.
func (tx *Tx) BumpPerson(ctx context.Context, id string) error {
	return tx.Send(ctx, `UPDATE people SET version = version + 1 WHERE id = ?`, id)
}

// DeletePerson removes a person; the member stays.
func (tx *Tx) DeletePerson(ctx context.Context, id string) error {
	position, found, err := One(ctx, tx, func(row Scanner) (n int64, err error) { return n, row.Scan(&n) },
		`DELETE FROM people WHERE id = ? RETURNING position`, id)
	if err != nil || !found {
		return err
	}
	return tx.updateOrderIndex(ctx, position, -1)
}

// SetEmails replaces the addresses by which the person is found.
func (tx *Tx) SetEmails(ctx context.Context, personID string, emails []Email) error {
	if err := tx.Send(ctx, `DELETE FROM person_emails WHERE person_id = ?`, personID); err != nil {
		return err
	}
	return tx.InsertEmails(ctx, personID, emails)
}

// InsertEmails adds the addresses by which a new person is found.
func (tx *Tx) InsertEmails(ctx context.Context, personID string, emails []Email) error {
	for i, e := range emails {
		if err := tx.Send(ctx,
			`INSERT INTO person_emails (person_id, position, value, value_folded, type, type_folded)
			VALUES (?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''))`,
			personID, i, e.Value, Fold(e.Value), e.Type, Fold(e.Type)); err != nil {
			return err
		}
	}
	return nil
}
