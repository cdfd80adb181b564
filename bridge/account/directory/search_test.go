package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

func leaf(op, path string, value any) *bridge.Predicate {
	return &bridge.Predicate{Op: op, Path: split(path), Value: value}
}

// split takes a path apart at its dots, those of a URN excepted.
func split(path string) []string {
	if path == "" {
		return nil
	}
	if urn, name, found := strings.Cut(path, "|"); found {
		return []string{urn, name}
	}
	return strings.Split(path, ".")
}

func eq(path string, value any) *bridge.Predicate { return leaf("eq", path, value) }

func exact(p *bridge.Predicate) *bridge.Predicate {
	p.CaseExact = true
	return p
}

func with(op string, terms ...*bridge.Predicate) *bridge.Predicate {
	p := &bridge.Predicate{Op: op}
	for _, t := range terms {
		p.Terms = append(p.Terms, *t)
	}
	return p
}

func anyOf(path string, term *bridge.Predicate) *bridge.Predicate {
	return &bridge.Predicate{Op: "any", Path: split(path), Terms: []bridge.Predicate{*term}}
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func TestPeopleAreFoundByEveryKindOfCondition(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ann := d.create("Ann@Example.com", "externalId", "E1", "displayName", "Ann Ärmel", "title", "Dr.",
		"name", map[string]any{"familyName": "Ärmel", "givenName": "Ann"},
		"emails", []any{map[string]any{"value": "Ann@Example.com", "type": "Work", "primary": true}, map[string]any{
			"value": "a@home.org", "type": "home",
		}},
		"roles", []any{map[string]any{"value": "admin", "primary": true}}, "schemas", []string{"urn:a", "urn:b"},
		enterprise, map[string]any{"employeeNumber": "17", "manager": map[string]any{"value": "m1"}},
		"hired", "2024-05-01T02:00:00+02:00", "floor", 3)
	bob := d.create("bob@example.com", "externalId", "e2", "displayName", "Bob", "active", false,
		"emails", []any{map[string]any{"value": "bob@example.com", "type": "home"}, map[string]any{
			"display": "no value", "type": "work",
		}},
		"nickName", "", "roles", map[string]any{"value": "user"}, "hired",
		"2024-05-01T01:00:00Z", "floor", 10, "notes", nil)
	g := d.group("Engineers", ann.ID)
	names := map[string]string{ann.ID: "ann", bob.ID: "bob"}
	ann = d.person(ann.ID)

	for _, row := range []struct {
		name string
		p    *bridge.Predicate
		want string // who is found, in the order of creation
	}{
		{"an id", exact(eq("id", ann.ID)), "ann"},
		{"an unknown id", eq("id", "nobody"), ""},
		{"userName without regard to case", eq("userName", "aNN@eXAMPLE.com"), "ann"},
		{"userName with regard to case", exact(eq("userName", "ann@example.com")), ""},
		{"userName with regard to case, right", exact(eq("userName", "Ann@Example.com")), "ann"},
		{"userName that begins with", leaf("sw", "userName", "ANN@"), "ann"},
		{"userName that ends with", leaf("ew", "userName", "EXAMPLE.COM"), "ann bob"},
		{"userName that contains", leaf("co", "userName", "OB@"), "bob"},
		{"userName that contains nothing", leaf("co", "userName", ""), "ann bob"},
		{"userName behind another", leaf("gt", "userName", "ann@example.com"), "bob"},
		{"userName not behind another", leaf("le", "userName", "ANN@example.com"), "ann"},
		{"userName of a number", eq("userName", 1.0), ""},
		{"externalId with regard to case", exact(eq("externalId", "e1")), ""},
		{"externalId without", eq("externalId", "e1"), "ann"},
		{"displayName with an umlaut in another case", eq("displayName", "ann äRMEL"), "ann"},
		{"displayName that is not", leaf("ne", "displayName", "Bob"), "ann"},
		{"an e-mail value", anyOf("emails", eq("value", "ann@example.com")), "ann"},
		{"an e-mail value and its type",
			anyOf("emails", with("and", eq("type", "work"), eq("value", "ann@example.com"))),
			"ann"},
		{"a type and a value of two e-mails",
			anyOf("emails", with("and", eq("type", "home"), eq("value", "ann@example.com"))), ""},
		{"an e-mail type alone", anyOf("emails", eq("type", "work")), "ann bob"},
		{"an e-mail that is primary", anyOf("emails", eq("primary", true)), "ann"},
		{"an e-mail with a value that differs",
			anyOf("emails", with("and", eq("type", "work"), leaf("ne", "value", "ann@example.com"))), "bob"},
		{"an e-mail without a value", anyOf("emails", with("not", leaf("pr", "value", nil))), "bob"},
		{"no e-mail at home.org", with("not", anyOf("emails", leaf("ew", "value", "@home.org"))), "bob"},
		{"a role that is primary", anyOf("roles", eq("primary", true)), "ann"},
		{"a list that was sent as one object", anyOf("roles", eq("value", "user")), "bob"},
		{"an element that is a plain text", anyOf("schemas", eq("", "URN:B")), "ann"},
		{"a sub-attribute of a plain text", anyOf("schemas", eq("value", "urn:b")), ""},
		{"any of an attribute that no person has", anyOf("photos", leaf("pr", "value", nil)), ""},
		{"a group by id", anyOf("groups", eq("value", g.ID)), "ann"},
		{"a group by name", anyOf("groups", eq("display", "ENGINEERS")), "ann"},
		{"any group", leaf("pr", "groups", nil), "ann"},
		{"no group", eq("groups", nil), "bob"},
		{"active", eq("active", true), ""},
		{"not active", eq("active", false), "bob"},
		{"active or without a word on it", leaf("ne", "active", false), "ann"},
		{"an attribute within another", eq("name.familyName", "äRMEL"), "ann"},
		{"an attribute of an extension", eq(enterprise+"|employeeNumber", "17"), "ann"},
		{"an attribute deep in an extension",
			&bridge.Predicate{Op: "eq", Path: []string{enterprise, "manager", "value"},
				Value: "m1"}, "ann"},
		{"an extension at all", leaf("pr", enterprise+"|employeeNumber", nil), "ann"},
		{"a title", leaf("pr", "title", nil), "ann"},
		{"an empty text is not present", leaf("pr", "nickName", nil), ""},
		{"null is not present", leaf("pr", "notes", nil), ""},
		{"null equals absent", eq("title", nil), "bob"},
		{"what is not null", leaf("ne", "title", nil), "ann"},
		{"absent is not equal", eq("title", ""), ""},
		{"absent differs", leaf("ne", "title", "Dr."), "bob"},
		{"not absent", with("not", eq("title", "Prof.")), "ann bob"},
		{"numbers as numbers", leaf("gt", "floor", 9.0), "bob"},
		{"a number is no text", eq("floor", "3"), ""},
		{"times as times", leaf("lt", "hired", "2024-05-01T00:30:00Z"), "ann"},
		{"created", leaf("gt", "meta.created", ann.CreatedAt.Format("2006-01-02T15:04:05Z07:00")), "bob"},
		{"modified", leaf("ge", "meta.lastModified", ann.ModifiedAt.Format("2006-01-02T15:04:05Z07:00")), "ann"},
		{"a version", exact(with("and", eq("id", ann.ID), eq("meta.version", directory.PersonETag(d.person(ann.ID))))),
			"ann"},
		{"an unknown version", exact(eq("meta.version", account.ETag(99))), ""},
		{"the type of the resource", eq("meta.resourceType", "user"), "ann bob"},
		{"both", with("and", eq("userName", "bob@example.com"), eq("active", false)), "bob"},
		{"either", with("or", eq("userName", "bob@example.com"), eq("title", "dr.")), "ann bob"},
		{"a quote in a value", eq("userName", `x' OR 1=1 --`), ""},
		{"a percent sign is no wildcard", leaf("co", "userName", "%"), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			found, err := d.SearchPeople(t.Context(), directory.Search{Filter: row.p, Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range found.Items {
				got = append(got, names[p.ID])
			}
			if strings.Join(got, " ") != row.want || found.Total != int64(len(got)) {
				t.Errorf("found %v of %d, want %q", got, found.Total, row.want)
			}
		})
	}
}

func TestGroupsAreFoundByNameAndMembers(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com")
	inner := d.group("Inner", p.ID)
	outer := d.group("Outer", inner.ID)
	if _, err := d.CreateGroupByHand(t.Context(), "Unmanaged"); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		p    *bridge.Predicate
		want []string
	}{
		{"all managed groups, and no other", nil, []string{inner.ID, outer.ID}},
		{"a name in another case", eq("displayName", "OUTER"), []string{outer.ID}},
		{"a person in it", anyOf("members", eq("value", p.ID)), []string{inner.ID}},
		{"a group in it", anyOf("members", with("and", eq("value", inner.ID), eq("type", "Group"))),
			[]string{outer.ID}},
		{"no such member", anyOf("members", eq("value", "nobody")), nil},
		{"members at all", leaf("pr", "members", nil), []string{inner.ID, outer.ID}},
		{"one without a person", with("not", anyOf("members", eq("type", "User"))), []string{outer.ID}},
	} {
		t.Run(row.name, func(t *testing.T) {
			found, err := d.SearchGroups(t.Context(), directory.Search{Filter: row.p, Limit: 10, WithMembers: true})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, g := range found.Items {
				got = append(got, g.ID)
				if len(g.Members) != 1 {
					t.Errorf("%s comes with members %v, want one", g.ID, g.Members)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("found %v, want %v", got, row.want)
			}
		})
	}
}

func TestAFilterThatCannotBeAnsweredIsRefused(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	deep, wide := eq("userName", "x"), []*bridge.Predicate{}
	for range 60 {
		deep = with("not", deep)
	}
	for range 501 {
		wide = append(wide, eq("userName", "x"))
	}
	for name, p := range map[string]*bridge.Predicate{
		"an unknown operator":              {Op: "like", Path: []string{"userName"}},
		"too deep":                         deep,
		"too many conditions":              with("or", wide...),
		"and without terms":                with("and"),
		"not with two terms":               with("not", eq("userName", "x"), eq("userName", "y")),
		"any without a term":               {Op: "any", Path: []string{"emails"}},
		"a time that is none":              leaf("gt", "meta.created", "yesterday"),
		"a part of a time":                 leaf("co", "meta.created", "2026-01-01T00:00:00Z"),
		"true as a bound":                  leaf("gt", "active", true),
		"null as a bound":                  leaf("gt", "title", nil),
		"a list as a value":                eq("title", []any{"x"}),
		"a quote in an attribute's name":   eq(`ti"tle`, "x"),
		"an attribute without a name":      {Op: "eq", Path: []string{"name", ""}, Value: "x"},
		"something amiss deeper in a tree": with("and", eq("userName", "x"), with("not", leaf("gt", "active", true))),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.SearchPeople(t.Context(), directory.Search{Filter: p, Limit: 10})
			if e := wantRefusal(t, err, "invalid_filter"); e.Status != 422 {
				t.Errorf("status %d, want 422", e.Status)
			}
		})
	}
	// A long chain, as a parser makes it of "a or b or c ...", is not deep.
	chain := eq("userName", "x")
	for i := range 200 {
		chain = with("or", chain, eq("userName", fmt.Sprint(i)))
	}
	if _, err := d.SearchPeople(t.Context(), directory.Search{Filter: chain, Limit: 10}); err != nil {
		t.Error(err)
	}
}

// An address can be several people's, and one person's twice; either is searched in another way than the usual case.
func TestAnAddressThatIsNotOnePersonsOnly(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	email := func(value, kind string) map[string]any { return map[string]any{"value": value, "type": kind} }
	names := make(map[string]string)
	for _, row := range []struct {
		name   string
		emails []any
	}{
		{"zoe", []any{email("desk@example.com", "work"), email("zoe@example.com", "home")}},
		{"ann", []any{email("Desk@example.com", "work"), email("desk@example.com", "home")}},
		{"bob", []any{email("bob@example.com", "work"), email("BOB@example.com", "home")}},
	} {
		names[d.createFrom(directory.PersonInput{
			Attributes: attributes("userName", row.name, "emails", row.emails),
		}).ID] = row.name
	}
	for _, row := range []struct {
		name string
		term *bridge.Predicate
		want string
	}{
		{"two people's", eq("value", "desk@EXAMPLE.com"), "zoe ann"},
		{"two people's, one's of the type", with("and", eq("type", "home"), eq("value", "desk@example.com")), "ann"},
		{"one person's twice", eq("value", "bob@example.com"), "bob"},
		{"one person's", eq("value", "zoe@example.com"), "zoe"},
		{"one person's of another type", with("and", eq("value", "zoe@example.com"), eq("type", "work")), ""},
		{"nobody's", eq("value", "nobody@example.com"), ""},
		{"two that nobody has", with("and", eq("value", "zoe@example.com"), eq("value", "bob@example.com")), ""},
	} {
		for _, s := range []directory.Search{{Limit: 10}, {Limit: 1}, {}, {Limit: 10, Offset: 1}} {
			s.Filter = anyOf("emails", row.term)
			found, err := d.SearchPeople(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(row.want)
			total := len(want)
			want = want[min(int(s.Offset), len(want)):]
			want = want[:min(s.Limit, len(want))]
			var got []string
			for _, p := range found.Items {
				got = append(got, names[p.ID])
			}
			if int(found.Total) != total || !slices.Equal(got, want) {
				t.Errorf("%s, by %+v: %d, %q, want %d, %q", row.name, s, found.Total, got, total, want)
			}
		}
	}
}

func TestPagesAreStableExactAndComplete(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	var created, byTitle []string
	for i := range 7 {
		pairs := []any{}
		if i != 3 { // who has no title comes last
			pairs = append(pairs, "title", string(rune('g'-i)))
		}
		p := d.create(fmt.Sprintf("p%d@example.com", i), pairs...)
		created = append(created, p.ID)
	}
	for _, i := range []int{6, 5, 4, 2, 1, 0, 3} {
		byTitle = append(byTitle, created[i])
	}
	reversed := func(list []string) []string {
		list = slices.Clone(list)
		slices.Reverse(list)
		return list
	}
	for _, row := range []struct {
		name string
		s    directory.Search
		want []string
	}{
		{"by creation", directory.Search{}, created},
		{"by creation, descending", directory.Search{Descending: true}, reversed(created)},
		{"by an attribute", directory.Search{SortBy: []string{"title"}}, byTitle},
		{"by an attribute, descending", directory.Search{SortBy: []string{"title"}, Descending: true},
			reversed(byTitle)},
		{"by a column", directory.Search{SortBy: []string{"userName"}}, created},
		{"by a value of a list", directory.Search{SortBy: []string{"emails", "value"}}, created},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, by := range []string{"cursor", "offset"} {
				var got []string
				s := row.s
				for s.Limit = 3; ; {
					found, err := d.SearchPeople(t.Context(), s)
					if err != nil {
						t.Fatal(err)
					}
					if found.Total != 7 {
						t.Fatalf("total %d, want 7", found.Total)
					}
					for _, p := range found.Items {
						got = append(got, p.ID)
					}
					if found.Next == "" {
						break
					}
					if by == "cursor" {
						s.Cursor = found.Next
					} else {
						s.Offset += int64(len(found.Items))
					}
				}
				if !slices.Equal(got, row.want) {
					t.Errorf("by %s: %v\nwant %v", by, got, row.want)
				}
			}
		})
	}

	found, err := d.SearchPeople(t.Context(), directory.Search{Limit: 0})
	if err != nil || found.Total != 7 || len(found.Items) != 0 || found.Next != "" {
		t.Errorf("a limit of 0 found %+v, %v; want the count alone", found, err)
	}
	for name, row := range map[string]struct {
		s    directory.Search
		code api.ErrorCode
	}{
		"an unknown cursor":         {directory.Search{Limit: 1, Cursor: "nonsense"}, "invalid_cursor"},
		"a cursor of another order": {directory.Search{Limit: 1, Cursor: "WzFd"}, "invalid_cursor"},
		"both cursor and offset":    {directory.Search{Limit: 1, Cursor: "WzFd", Offset: 1}, "invalid_value"},
		"a limit beyond the bound":  {directory.Search{Limit: 1001}, "invalid_value"},
		"a negative offset":         {directory.Search{Limit: 1, Offset: -1}, "invalid_value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.SearchPeople(t.Context(), row.s)
			wantRefusal(t, err, row.code)
		})
	}
}
