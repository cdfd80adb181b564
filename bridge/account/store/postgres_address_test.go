package store

import (
	"errors"
	"strings"
	"testing"
)

// What is shown may be pasted into a command, but never has a secret.
func TestAnAddressIsShownWithoutItsPasswords(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		dsn, shown, tools string
		has               bool
	}{
		{"sqlite:account.db", "sqlite:account.db", "", false},
		{"postgres://ann@db/a", "postgres://ann@db/a", "postgres://ann@db/a", false},
		{"postgres://db", "postgres://db", "postgres://db", false},
		{"postgresql://ann:hush@db:5433/a", "postgresql://ann@db:5433/a", "postgresql://ann@db:5433/a", true},
		{"postgres://ann:hush@db1:5432,db2:5433/a?target_session_attrs=read-write",
			"postgres://ann@db1:5432,db2:5433/a?target_session_attrs=read-write",
			"postgres://ann@db1:5432,db2:5433/a?target_session_attrs=read-write", true},
		{"postgres://db/a?user=ann&password=hush", "postgres://db/a?user=ann", "postgres://db/a?user=ann", true},
		{"postgres://db/a?sslkey=/k&sslpassword=hush", "postgres://db/a?sslkey=/k", "postgres://db/a?sslkey=/k", true},
		{"postgres://db/a?pool_max_conns=3&default_query_exec_mode=exec&connect_timeout=3",
			"postgres://db/a?connect_timeout=3&default_query_exec_mode=exec&pool_max_conns=3",
			"postgres://db/a?connect_timeout=3", false},
		{"postgres:///a?host=/run/postgresql", "postgres:///a?host=/run/postgresql",
			"postgres:///a?host=/run/postgresql", false},
		{"postgres://ann:12?hush@db/a", "postgres://ann:12", "postgres://ann:12", false},
		{"postgres://ann:12#hush@db/a", "postgres://ann:12", "postgres://ann:12", false},
		{"postgres://ann:hu sh/hush@db/a", "postgres://...", "postgres://...", true},
	} {
		if got := WithoutPassword(row.dsn); got != row.shown {
			t.Errorf("%s is shown as %s, want %s", row.dsn, got, row.shown)
		}
		if got := ForTools(row.dsn); row.tools != "" && got != row.tools {
			t.Errorf("%s is %s for pg_dump, want %s", row.dsn, got, row.tools)
		}
		if got := HasPassword(row.dsn); got != row.has {
			t.Errorf("%s: has a password %t, want %t", row.dsn, got, row.has)
		}
	}
}

// The reason is told unless it may have a piece of a password that was not encoded.
func TestAnAddressThatCannotBeUsedIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://ann:hu sh/hush@db/a":                                           "percent-encoding",
		"postgres://ann:hu%sh@db/a":                                                "percent-encoding",
		"postgres://ann:hush@db:x/a":                                               "percent-encoding",
		"postgres://ann:hush@db/a?sslmode=sure":                                    "sslmode is invalid",
		"postgres://ann:hush@db/a?target_session_attrs=x":                          "unknown target_session_attrs",
		"postgres://ann:hush@db/a?sslmode=verify-full&sslrootcert=/nowhere/ca.pem": "/nowhere/ca.pem: no such file",
		"postgres://ann:hush@db/a?default_query_exec_mode=x":                       "invalid default_query_exec_mode",
	} {
		s, err := Open(t.Context(), dsn)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hu") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

// A server that cannot have the database is told from one that can before anything is written.
func TestAServerThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		version   int64
		encoding  string
		isStandby bool
		want      string
	}{
		{leastVersion, "UTF8", false, ""},
		{180001, "UTF8", false, ""},
		{130021, "UTF8", false, "the server is PostgreSQL 13, and 14 or later is needed"},
		{90624, "UTF8", false, "the server is PostgreSQL 9, and"},
		{150000, "SQL_ASCII", false, "has the encoding SQL_ASCII, and UTF8 is needed"},
		{150000, "UTF8", true, "it is a standby"},
	} {
		err := unfit(row.version, row.encoding, row.isStandby)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) ||
			errors.Is(err, ErrReadOnly) != row.isStandby {
			t.Errorf("%+v: %v", row, err)
		}
	}
}
