package ipdata_test

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
)

type record = ipdatatest.Record

// Every shape that is found in the wild says the same.
func TestShapes(t *testing.T) {
	t.Parallel()
	const amazon = 16509
	anonymous := func(kinds ...string) firewall.Facts { return firewall.Facts{firewall.Anonymous: kinds} }
	for _, row := range []struct {
		name   string
		kind   string // the database's type
		record record
		want   firewall.Facts
	}{
		{"nested places, as MaxMind has them", "GeoLite2-City", record{
			"country": record{
				"iso_code": "DE", "geoname_id": 2921044, "names": record{"en": "Germany", "code": "no"},
			},
			"continent": record{"code": "EU", "names": record{"en": "Europe"}},
			"location":  record{"latitude": 52.5},
		}, firewall.Facts{firewall.Country: {"DE"}, firewall.Continent: {"EU"}}},
		{"flat codes beside names for people", "ipinfo lite.mmdb", record{
			"country": "Germany", "country_code": "DE", "continent": "Europe", "continent_code": "EU",
		}, firewall.Facts{firewall.Country: {"DE"}, firewall.Continent: {"EU"}}},
		{"codes under the plain names", "flat", record{"country": "DE", "continent": "EU"}, firewall.Facts{
			firewall.Country: {"DE"}, firewall.Continent: {"EU"},
		}},
		{"codes in lower case", "flat", record{"country_code": "de", "continent_code": "eu"}, firewall.Facts{
			firewall.Country: {"DE"}, firewall.Continent: {"EU"},
		}},
		{"Kosovo, which ISO does not list", "flat", record{"country_code": "XK"},
			firewall.Facts{firewall.Country: {"XK"}}},
		{"a number of a cloud's autonomous system", "GeoLite2-ASN", record{"autonomous_system_number": amazon},
			anonymous("cloud_provider")},
		{"the number under its short name", "flat", record{"asn": amazon}, anonymous("cloud_provider")},
		{"the number as a text", "ipinfo", record{"asn": "AS16509"}, anonymous("cloud_provider")},
		{"the number among the traits", "GeoIP2-Enterprise",
			record{"traits": record{"autonomous_system_number": amazon}},
			anonymous("cloud_provider")},
		{"flags on top", "GeoIP2-Anonymous-IP", ipdatatest.Flags("is_anonymous", "is_anonymous_vpn", "is_tor_exit_node",
			"is_public_proxy", "is_hosting_provider"),
			anonymous("cloud_provider", "vpn", "tor", "public_proxy")},
		{"flags among the traits", "GeoIP2-Enterprise",
			record{
				"traits": ipdatatest.Flags("is_anonymous_vpn", "is_tor_exit_node",
					"is_public_proxy", "is_hosting_provider"),
			},
			anonymous("cloud_provider", "vpn", "tor", "public_proxy")},
		{"flags under anonymizer", "GeoIP-Anonymous-Plus", record{"anonymizer": ipdatatest.Flags("is_anonymous_vpn")},
			anonymous("vpn")},
		{"flags by short names, as texts", "ipinfo privacy",
			record{"vpn": "true", "tor": "", "proxy": "false", "hosting": "true"}, anonymous("cloud_provider", "vpn")},
		{"flags as numbers", "numbers", record{"is_vpn": 1, "is_tor": 0, "is_proxy": 1, "is_hosting": 0},
			anonymous("vpn", "public_proxy")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ipdatatest.Write(t, row.kind, map[string]record{
				"127.0.0.0/24": row.record, "2001:db8::/32": row.record,
			}))
			for _, text := range []string{"127.0.0.7", "::ffff:127.0.0.7", "2001:db8::7%eth0"} {
				address := netip.MustParseAddr(text)
				want := firewall.Subject{Address: firewall.Normalize(address), Facts: row.want}
				if got := d.Subject(address); !reflect.DeepEqual(got, want) {
					t.Errorf("%s is %+v, want %+v", text, got, want)
				}
			}
			unknown := netip.MustParseAddr("192.0.2.1")
			if got := d.Subject(unknown); !reflect.DeepEqual(got, firewall.Subject{Address: unknown}) {
				t.Errorf("an address that is in no network is %+v", got)
			}
		})
	}
}

// Rented machines are told from networks that carry people too.
func TestClouds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		number int
		cloud  bool
	}{
		{"EC2 in Virginia is one", 14618, true},
		{"Google Cloud is one", 396982, true},
		{"Azure is one", 8075, true},
		{"Hetzner is one", 24940, true},
		{"Microsoft's interconnection with customers is none", 12076, false},
		{"Cloudflare, which has people behind WARP, is none", 13335, false},
		{"Zscaler, which has offices behind it, is none", 62044, false},
		{"Deutsche Telekom is none", 3320, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ipdatatest.Write(t, "ASN", map[string]record{"127.0.0.2/32": ipdatatest.ASN(row.number)}))
			got := slices.Contains(d.Subject(netip.MustParseAddr("127.0.0.2")).Facts[firewall.Anonymous],
				firewall.CloudProvider)
			if got != row.cloud {
				t.Errorf("AS%d is a cloud provider: %v", row.number, got)
			}
		})
	}
}

// What a database can answer is what it has said anywhere, a no included;
// what it names without a valid code is not.
func TestAnswers(t *testing.T) {
	t.Parallel()
	all := []string{"country", "continent", "cloud_provider", "vpn", "tor", "public_proxy"}
	for _, row := range []struct {
		name string
		kind string
		recs map[string]record
		want []string
	}{
		{"countries", "Country", map[string]record{"127.0.0.2/32": ipdatatest.Country("DE", "EU")}, all[:2]},
		{"a country once among many that are none", "Country", map[string]record{
			"127.0.0.2/32": {"country_code": "EU", "continent": "Europe"}, "127.0.0.3/32": {"country_code": "FR"},
		}, all[:1]},
		{"autonomous systems, none of them a cloud's", "ASN", map[string]record{"127.0.0.2/32": ipdatatest.ASN(64500)},
			all[2:3]},
		{"a flag that is nowhere set", "privacy", map[string]record{"127.0.0.2/32": {"tor": false}}, all[4:5]},
		{"a kind that writes flags only where they are set", "GeoIP2-Anonymous-IP", map[string]record{
			"127.0.0.2/32": ipdatatest.Flags("is_public_proxy"),
		}, all[2:]},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, ipdatatest.Write(t, row.kind, row.recs))
			if got := d.Answers(); !slices.Equal(got, row.want) {
				t.Errorf("answers %v, want %v", got, row.want)
			}
			wantMissing := slices.DeleteFunc(slices.Clone(all), func(q string) bool {
				return slices.Contains(row.want, q)
			})
			if got := d.Missing(all); !slices.Equal(got, wantMissing) {
				t.Errorf("missing %v, want %v", got, wantMissing)
			}
		})
	}
	if got := (*ipdata.Databases)(nil).Missing(all); !slices.Equal(got, all) {
		t.Errorf("without a database %v is missing", got)
	}
}

// Of several files, the first that knows a place counts, and every one is
// asked about anonymous addresses.
func TestSeveralFiles(t *testing.T) {
	t.Parallel()
	d := open(t,
		ipdatatest.Write(t, "Country", map[string]record{"127.0.0.2/32": ipdatatest.Country("DE", "EU")}),
		ipdatatest.Write(t, "Flat", map[string]record{
			"127.0.0.2/32": {"country_code": "FR", "asn": 24940}, "127.0.0.3/32": {"country_code": "FR", "asn": 64500},
		}),
		ipdatatest.Write(t, "Tor", map[string]record{"127.0.0.2/32": {"is_tor_exit_node": true}}),
		// A list of one's own, as made from a table of texts.
		ipdatatest.Write(t, "Own", map[string]record{"127.0.0.5/32": {"hosting": "true"}}),
	)
	for address, want := range map[string]firewall.Facts{
		"127.0.0.2": {
			firewall.Country: {"DE"}, firewall.Continent: {"EU"}, firewall.Anonymous: {"cloud_provider", "tor"},
		},
		"127.0.0.3": {firewall.Country: {"FR"}},
		"127.0.0.4": nil,
		"127.0.0.5": {firewall.Anonymous: {"cloud_provider"}},
	} {
		if got := d.Subject(netip.MustParseAddr(address)).Facts; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", address, got, want)
		}
	}
}

// A file that is of no use is refused when it is opened, with what is wrong;
// of several, all are told.
func TestRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, err := os.ReadFile(ipdatatest.Write(t, "Country", map[string]record{
		"127.0.0.2/32": ipdatatest.Country("DE", "EU"),
	}))
	if err != nil {
		t.Fatal(err)
	}
	// The text DE with its control byte becomes a pointer to beyond the end.
	overwritten := bytes.Replace(good, []byte("\x42DE"), []byte("\x2f\xff\xff"), 1)
	looped := append(make([]byte, 7), good[7:]...) // the first node of the tree is its own child
	for _, row := range []struct{ name, path, want string }{
		{"a file that is not there", filepath.Join(dir, "missing.mmdb"), "no such file"},
		{"a folder", dir, "is a directory"},
		{"an empty file", write("empty.mmdb", nil), "it is damaged, or no MMDB file"},
		{"a text", write("text.mmdb", []byte("country,DE\n")), "it is damaged, or no MMDB file"},
		{"one cut short", write("short.mmdb", good[:len(good)-40]), "it is damaged"},
		{"one that lost its beginning", write("late.mmdb", good[len(good)/2:]), "it is damaged"},
		{"one with a record overwritten", write("overwritten.mmdb", overwritten), "it is damaged"},
		{"one whose search tree has no end", write("looped.mmdb", looped), "it is damaged"},
		{"one about other things", ipdatatest.Write(t, "GeoIP2-Connection-Type", map[string]record{
			"127.0.0.2/32": {"connection_type": "Cable"},
		}),
			`it is of type "GeoIP2-Connection-Type" and says nothing of countries`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := ipdata.Open(row.path)
			if err == nil || !strings.Contains(err.Error(), row.want) ||
				!strings.Contains(err.Error(), "reading the IP database "+row.path+": ") {
				t.Errorf("got %v, want it to tell %q", err, row.want)
			}
		})
	}
	_, err = ipdata.Open(filepath.Join(dir, "one.mmdb"), write("two.mmdb", nil))
	if err == nil || !strings.Contains(err.Error(), "one.mmdb: ") || !strings.Contains(err.Error(), "two.mmdb: ") {
		t.Errorf("of two bad files: %v", err)
	}
}

// A newer file is taken up; one that is damaged, gone or poorer is not, and
// what was read before goes on answering.
func TestReload(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "country.mmdb")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	write := func(kind string, r record) {
		t.Helper()
		if err := ipdatatest.WriteFile(path, kind, map[string]record{"127.0.0.2/32": r}); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("Country", ipdatatest.Country("DE", "EU"))
	d := open(t, path)
	for _, row := range []struct {
		name    string
		replace func()
		changed bool
		fault   string
		country string
	}{
		{"nothing new", func() {}, false, "", "DE"},
		{"a newer one", func() { write("Country", ipdatatest.Country("FR", "EU")) }, true, "", "FR"},
		{"one that knows no continents", func() {
			write("Country", record{"country_code": "IT"})
		}, false, "no longer tells continent", "FR"},
		{"one that is half-written", func() {
			if err := os.Truncate(path, 100); err != nil {
				t.Fatal(err)
			}
		}, false, "it is damaged", "FR"},
		{"one that is gone", func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, false, "no such file", "FR"},
		{"one that is back", func() { write("Country", ipdatatest.Country("ES", "EU")) }, true, "", "ES"},
	} {
		row.replace()
		changed, err := d.Reload()
		if changed != row.changed || (err != nil) != (row.fault != "") || err != nil &&
			!strings.Contains(err.Error(), row.fault) {
			t.Errorf("%s: changed is %t, and %v", row.name, changed, err)
		}
		if got := strings.Join(d.Subject(netip.MustParseAddr("127.0.0.2")).Facts[firewall.Country],
			" "); got != row.country {
			t.Errorf("%s: the country is %s, want %s", row.name, got, row.country)
		}
	}
	if changed, err := (*ipdata.Databases)(nil).Reload(); changed || err != nil {
		t.Errorf("without databases: %t, %v", changed, err)
	}
}

func open(t *testing.T, paths ...string) *ipdata.Databases {
	t.Helper()
	d, err := ipdata.Open(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
