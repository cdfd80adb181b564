// Package ipdatatest writes small IP databases for tests. Reserved networks
// may be in them, so that a test which speaks from 127.0.0.x can be anywhere.
package ipdatatest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// A Record is what a database says of a network: texts, booleans, numbers and
// further Records.
type Record map[string]any

// Country is a record in MaxMind's shape.
func Country(code, continent string) Record {
	return Record{"country": Record{"iso_code": code}, "continent": Record{"code": continent}}
}

// ASN is a record in MaxMind's shape.
func ASN(number int) Record { return Record{"autonomous_system_number": number} }

// Flags is a record in the shape of MaxMind's Anonymous IP databases.
func Flags(names ...string) Record {
	r := Record{}
	for _, name := range names {
		r[name] = true
	}
	return r
}

// Write makes a database of records by network, like "127.0.0.2/32", in a
// temporary folder and returns its path.
func Write(t testing.TB, databaseType string, records map[string]Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), databaseType+".mmdb")
	if err := WriteFile(path, databaseType, records); err != nil {
		t.Fatal(err)
	}
	return path
}

// WriteFile is Write to a path, where there is no testing.TB.
func WriteFile(path, databaseType string, records map[string]Record) (err error) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: databaseType, DisableIPv4Aliasing: true, IncludeReservedNetworks: true,
	})
	if err != nil {
		return err
	}
	for text, record := range records {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			return err
		}
		value, err := valueOf(record)
		if err != nil {
			return err
		}
		if err := tree.Insert(network, value); err != nil {
			return err
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := tree.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func valueOf(v any) (mmdbtype.DataType, error) {
	switch v := v.(type) {
	case string:
		return mmdbtype.String(v), nil
	case bool:
		return mmdbtype.Bool(v), nil
	case int:
		return mmdbtype.Uint32(v), nil
	case float64:
		return mmdbtype.Float64(v), nil
	case Record:
		m := mmdbtype.Map{}
		for key, inner := range v {
			value, err := valueOf(inner)
			if err != nil {
				return nil, err
			}
			m[mmdbtype.String(key)] = value
		}
		return m, nil
	default:
		return nil, fmt.Errorf("a record cannot hold a %T", v)
	}
}
