package store

import (
	"context"
	"time"
)

// An Integration is the provisioning integration, active or not.
type Integration struct {
	Active               bool
	ID                   string
	ManagerID            string // the member; kept through deactivation
	ManagerEmail         string
	IdP, SuspensionLimit string
	Epoch                int64
	SessionEpoch         int64 // what Session was sealed for
	NextEpoch            int64 // never goes back
	Session              string
	ActivatedAt          time.Time
	LastContact          time.Time
	LastRefusal          string // JSON, or empty
	SignInSecret         string // hex; false salts are made of it
	Version              int64
}

const integrationColumns = `active, id, manager_id, manager_email, idp, suspension_limit, epoch, session_epoch,
	next_epoch, session, activated_at, last_contact, last_refusal, sign_in_secret, version`

// Integration reads the integration.
func (tx *Tx) Integration(ctx context.Context) (i Integration, err error) {
	err = tx.QueryRow(ctx, `SELECT `+integrationColumns+` FROM integration`).Scan(
		&i.Active, &i.ID, &i.ManagerID, &i.ManagerEmail, &i.IdP, &i.SuspensionLimit, &i.Epoch, &i.SessionEpoch,
		&i.NextEpoch, &i.Session, (*Time)(&i.ActivatedAt), (*Time)(&i.LastContact), &i.LastRefusal, &i.SignInSecret,
		&i.Version,
	)
	return i, err
}

// IdP returns the name of the identity provider.
func (tx *Tx) IdP(ctx context.Context) (idp string, err error) {
	return idp, tx.QueryRow(ctx, `SELECT idp FROM integration`).Scan(&idp)
}

// UnreleasedLimit returns the limit for which holds were released last and the one
// that there is now, and reports whether they differ. Without an active integration
// there is no limit to release holds for.
func (tx *Tx) UnreleasedLimit(ctx context.Context) (before, now string, differ bool, err error) {
	err = tx.QueryRow(ctx, `SELECT released_limit, suspension_limit, active AND released_limit <> suspension_limit
		FROM integration`).Scan(&before, &now, &differ)
	return before, now, differ, err
}

// SetReleasedLimit notes that the holds are released that the limit of now allows.
func (tx *Tx) SetReleasedLimit(ctx context.Context) error {
	return tx.Send(ctx, `UPDATE integration SET released_limit = suspension_limit`)
}

// UpdateIntegration writes what an administrator can see and change, and
// moves the version.
func (tx *Tx) UpdateIntegration(ctx context.Context, i Integration) error {
	return tx.Send(ctx, `UPDATE integration SET active = ?, id = ?, manager_id = ?, manager_email = ?, idp = ?,
			suspension_limit = ?, epoch = ?, session_epoch = ?, next_epoch = ?, session = ?, activated_at = ?,
			last_contact = ?, last_refusal = ?, sign_in_secret = ?, version = version + 1`,
		i.Active, i.ID, i.ManagerID, i.ManagerEmail, i.IdP,
		i.SuspensionLimit, i.Epoch, i.SessionEpoch, i.NextEpoch, i.Session, Micros(i.ActivatedAt),
		Micros(i.LastContact), i.LastRefusal, i.SignInSecret)
}

// TouchIntegration notes when a bridge was last heard. Like a refusal, that
// is not a change: the version stays.
func (tx *Tx) TouchIntegration(ctx context.Context, at time.Time) error {
	return tx.Send(ctx, `UPDATE integration SET last_contact = ?`, Micros(at))
}

// NoteRefusal keeps the last refusal, a JSON document.
func (tx *Tx) NoteRefusal(ctx context.Context, refusal string) error {
	return tx.Send(ctx, `UPDATE integration SET last_refusal = ?`, refusal)
}

// A Generation is one generation of the manager's credentials.
type Generation struct {
	Epoch     int64
	Email     string // as enrolled, lower case
	KDF       string // JSON
	Verifier  string
	CreatedAt time.Time
	ExpiresAt time.Time // zero for the current one
	Ended     string    // why it ended before its time; empty while it lives
	// NeedsSecondFactor: it was there when the two-factor policy was enforced.
	NeedsSecondFactor bool
}

const generationColumns = `epoch, email, kdf, verifier, created_at, expires_at, ended, needs_second_factor`

func scanGeneration(row Scanner) (g Generation, err error) {
	return g, row.Scan(
		&g.Epoch, &g.Email, &g.KDF, &g.Verifier, (*Time)(&g.CreatedAt), (*Time)(&g.ExpiresAt),
		&g.Ended, &g.NeedsSecondFactor,
	)
}

// InsertGeneration adds g.
func (tx *Tx) InsertGeneration(ctx context.Context, g Generation) error {
	return tx.Send(ctx, `INSERT INTO generations (`+generationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		g.Epoch, g.Email, g.KDF, g.Verifier, Micros(g.CreatedAt), Micros(g.ExpiresAt), g.Ended, g.NeedsSecondFactor)
}

// Generation reads one generation.
func (tx *Tx) Generation(ctx context.Context, epoch int64) (Generation, bool, error) {
	return One(ctx, tx, scanGeneration, `SELECT `+generationColumns+` FROM generations WHERE epoch = ?`, epoch)
}

// LiveGenerations lists, newest first, the generations that have neither
// ended nor expired.
func (tx *Tx) LiveGenerations(ctx context.Context, now time.Time) ([]Generation, error) {
	return All(ctx, tx, scanGeneration, `SELECT `+generationColumns+` FROM generations
		WHERE ended = '' AND (expires_at = 0 OR expires_at > ?) ORDER BY epoch DESC`, Micros(now))
}

// ExpireGeneration sets when a generation stops being good.
func (tx *Tx) ExpireGeneration(ctx context.Context, epoch int64, at time.Time) error {
	return tx.Send(ctx, `UPDATE generations SET expires_at = ? WHERE epoch = ?`, Micros(at), epoch)
}

// EndGeneration ends a generation and every session that was opened with it.
func (tx *Tx) EndGeneration(ctx context.Context, epoch int64, why string) error {
	if err := tx.Send(ctx, `UPDATE generations SET ended = ? WHERE epoch = ?`, why, epoch); err != nil {
		return err
	}
	return tx.Send(ctx, `DELETE FROM sessions WHERE epoch = ?`, epoch)
}

// SignInSecret returns the secret that false salts are made of, which is
// fresh if there was none.
func (tx *Tx) SignInSecret(ctx context.Context, fresh string) (secret string, err error) {
	err = tx.QueryRow(ctx, `UPDATE integration
		SET sign_in_secret = CASE sign_in_secret WHEN '' THEN ? ELSE sign_in_secret END RETURNING sign_in_secret`,
		fresh).Scan(&secret)
	return secret, err
}
