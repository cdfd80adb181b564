package store

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrAddress says that an address of a PostgreSQL database cannot be read.
var ErrAddress = errors.New("the address of the database cannot be used; write postgres://USER@HOST:PORT/NAME, with " +
	"percent-encoding for special characters in names and passwords, and parameters as libpq has them")

// IsPostgres reports whether dsn is the address of a PostgreSQL database.
func IsPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// HasPassword reports whether a password, such as that of the user or of a key's file, is in the address of a database.
func HasPassword(dsn string) bool {
	if !IsPostgres(dsn) {
		return false
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return strings.ContainsAny(dsn, "@?") // perhaps
	}
	_, has := u.User.Password()
	for name := range u.Query() {
		has = has || isPassword(name)
	}
	return has
}

// addressError returns an ErrAddress for an error of the driver about an address.
func addressError(err error) error {
	text := err.Error() // which has the address before what it says
	i := strings.LastIndex(text, "`: ")
	// Errors about the form of the address repeat pieces of it, perhaps of a password that was not encoded.
	if i < 0 || strings.Contains(text[i:], "failed to parse") {
		return ErrAddress
	}
	return fmt.Errorf("%w: %s", ErrAddress, text[i+len("`: "):])
}

// openingError says what to do about a server that does not let us open a database.
func openingError(dsn string, err error) error {
	code := ""
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		code = answer.Code
	}
	remedy := ""
	switch {
	case code == "28P01":
		remedy = "; the password is taken from the address, from PGPASSWORD, or from the password file (~/.pgpass, " +
			"or the one that PGPASSFILE names)"
	case strings.HasPrefix(code, "28"):
		remedy = "; create the user, and let it in by the server's pg_hba.conf"
	case strings.HasPrefix(code, "3D"):
		remedy = "; create the database first, with the encoding UTF8"
	case code == "42501":
		remedy = "; make the user the owner of the database"
	case errors.As(err, new(x509.UnknownAuthorityError)):
		remedy = "; name the certificate of the authority in the address, as sslrootcert=FILE"
	case errors.As(err, new(x509.HostnameError)):
		remedy = "; name the server in the address as its certificate does"
	case code == "42P05", code == "26000": // of statements that another connection has prepared, or this one has not
		remedy = "; a pooler that gives each transaction another connection stands between: add " +
			"default_query_exec_mode=exec to the address"
	case errors.Is(err, ErrAway):
		remedy = "; start the server, or correct the address"
	}
	return fmt.Errorf("opening %s: %w%s", WithoutPassword(dsn), err, remedy)
}

// isPassword reports whether a parameter of an address is one: password and sslpassword are.
func isPassword(parameter string) bool { return strings.Contains(parameter, "password") }

// WithoutPassword returns dsn without the passwords in it, to be shown. A server asks for them again, and whoever uses
// the address has to have them elsewhere.
func WithoutPassword(dsn string) string {
	if !IsPostgres(dsn) {
		return dsn
	}
	return changed(dsn, isPassword)
}

// ForTools returns the address of a PostgreSQL database as PostgreSQL's own programs take it, without its passwords:
// they refuse the parameters of our driver.
func ForTools(dsn string) string {
	return changed(dsn, func(parameter string) bool {
		switch parameter {
		case "default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity":
			return true
		}
		return isPassword(parameter) || strings.HasPrefix(parameter, "pool_")
	})
}

// parameterName is what names of parameters look like. A piece of a password that was not encoded may be taken for one.
var parameterName = regexp.MustCompile(`^[a-z_.]+$`)

// changed returns an address without its user's password and without some of its parameters.
func changed(dsn string, without func(parameter string) bool) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "postgres://..." // what cannot be parsed is not opened
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	u.Fragment, u.RawFragment = "", ""
	query := u.Query()
	for name := range query {
		if without(name) || !parameterName.MatchString(name) {
			query.Del(name)
		}
	}
	// A path stays readable in the value of a parameter.
	u.RawQuery = strings.ReplaceAll(query.Encode(), "%2F", "/")
	return u.String()
}
