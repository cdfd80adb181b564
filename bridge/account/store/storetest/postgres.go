package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// serverVariable has the address of a PostgreSQL server, whose user may create databases: then New makes databases
// there.
const serverVariable = "SCIMBRIDGE_TEST_POSTGRES"

// OnPostgres reports whether New makes databases of PostgreSQL.
func OnPostgres() bool { return os.Getenv(serverVariable) != "" }

var made atomic.Int64

// newPostgres makes a database that is removed after the test.
func newPostgres(tb testing.TB) (dsn string) {
	tb.Helper()
	template, err := migratedPostgres()
	if err != nil {
		tb.Fatal(err)
	}
	name := fmt.Sprintf("%s_%d", template, made.Add(1))
	if err := onServer(tb.Context(), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := onServer(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return addressOf(name)
}

// migratedPostgres returns the name of a database with the newest schema, of this test program. It is left to the
// server, which ends with the tests.
var migratedPostgres = sync.OnceValues(func() (name string, err error) {
	ctx := context.Background()
	name = fmt.Sprintf("test_%d_%d", os.Getpid(), time.Now().UnixMicro())
	if err := onServer(ctx, "CREATE DATABASE "+name+" ENCODING 'UTF8' TEMPLATE template0"); err != nil {
		return "", err
	}
	s, err := store.Open(ctx, addressOf(name))
	if err != nil {
		return "", err
	}
	return name, s.Close()
})

// addressOf returns the address of a database on the server.
func addressOf(name string) string {
	u, err := url.Parse(os.Getenv(serverVariable))
	if err != nil {
		panic(err)
	}
	u.Path = "/" + name
	return u.String()
}

// onServer runs a statement beside all databases of tests.
func onServer(ctx context.Context, statement string) (err error) {
	c, err := pgx.Connect(ctx, addressOf("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, statement)
	return errors.Join(err, c.Close(ctx))
}
