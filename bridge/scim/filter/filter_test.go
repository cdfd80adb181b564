package filter_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

const enterprise = schema.EnterpriseURI

// predicate reads a predicate as openapi.yaml writes it.
func predicate(t *testing.T, text string) bridge.Predicate {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	var p bridge.Predicate
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

func asJSON(t *testing.T, p bridge.Predicate) string {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCompile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		filter string
		want   string
	}{
		{"userName is compared without regard to case", `userName eq "bjensen"`,
			`{"op":"eq","path":["userName"],"value":"bjensen"}`},
		{"id and externalId with regard to it", `externalId eq "A"`,
			`{"op":"eq","path":["externalId"],"value":"A","case_exact":true}`},
		{"operators and names are in any case", `USERNAME Eq "b"`, `{"op":"eq","path":["userName"],"value":"b"}`},
		{"a core attribute may carry its schema", schema.UserURI + `:userName sw "J"`,
			`{"op":"sw","path":["userName"],"value":"J"}`},
		{"an address is compared by its id", `meta.location eq "https://scim.example.com/scim/v2/Users/a%20b"`,
			`{"op":"eq","path":["id"],"value":"a b","case_exact":true}`},
		{"an address of another kind matches none", `meta.location eq "https://scim.example.com/Groups/1"`,
			`{"op":"not","terms":[{"op":"pr","path":["id"]}]}`},
		{"everything differs from no address", `meta.location ne "elsewhere"`, `{"op":"pr","path":["id"]}`},
		{"everything has an address", `meta.location pr`, `{"op":"pr","path":["id"]}`},
		{"a group by its address", `groups.$ref eq "Groups/1"`,
			`{"op":"any","path":["groups"],"terms":[{"op":"eq","path":["value"],"value":"1","case_exact":true}]}`},
		{"every membership is direct", `groups[type eq "direct" and value eq "1"]`,
			`{"op":"any","path":["groups"],"terms":[{"op":"and","terms":[{"op":"pr","path":["value"]},{"op":"eq",` +
				`"path":["value"],"value":"1","case_exact":true}]}]}`},
		{"and none is indirect", `groups.type eq "indirect"`,
			`{"op":"any","path":["groups"],"terms":[{"op":"not","terms":[{"op":"pr","path":["value"]}]}]}`},
		{"presence", `title pr`, `{"op":"pr","path":["title"]}`},
		{"a sub-attribute", `name.familyName co "O'Malley"`,
			`{"op":"co","path":["name","familyName"],"value":"O'Malley"}`},
		{"a word needs no quotes", `userName Eq bjensen@example.com`,
			`{"op":"eq","path":["userName"],"value":"bjensen@example.com"}`},
		{"nor do several, which end where a filter goes on",
			`(displayName eq Babs  J. 3 or title eq 5 Star) and active eq true`,
			`{"op":"and","terms":[{"op":"or","terms":[{"op":"eq","path":["displayName"],"value":"Babs  J. ` +
				`3"},{"op":"eq","path":["title"],"value":"5 Star"}]},{"op":"eq","path":["active"],"value":true}]}`},
		{"nor a name with and in it, if it is the whole filter", `displayName Eq Research and Development`,
			`{"op":"eq","path":["displayName"],"value":"Research and Development"}`},
		{"a version is the entity tag", `meta.version eq "\"3\""`,
			`{"op":"eq","path":["meta","version"],"value":"\"3\"","case_exact":true}`},
		{"whether it is marked as weak or not", `meta.version ne "W/\"3\""`,
			`{"op":"ne","path":["meta","version"],"value":"\"3\"","case_exact":true}`},
		{"times are sent in UTC", `meta.lastModified gt "2011-05-13T06:42:34+02:00"`,
			`{"op":"gt","path":["meta","lastModified"],"value":"2011-05-13T04:42:34Z"}`},
		{"and binds closer than or", `title pr or userType eq "E" and active eq true`,
			`{"op":"or","terms":[{"op":"pr","path":["title"]},{"op":"and","terms":[{"op":"eq","path":["userType"],` +
				`"value":"E"},{"op":"eq","path":["active"],"value":true}]}]}`},
		{"parentheses group", `(title pr or userType eq "E") and active eq true`,
			`{"op":"and","terms":[{"op":"or","terms":[{"op":"pr","path":["title"]},{"op":"eq","path":["userType"],` +
				`"value":"E"}]},{"op":"eq","path":["active"],"value":true}]}`},
		{"not, in any case", `NOT (title pr)`, `{"op":"not","terms":[{"op":"pr","path":["title"]}]}`},
		{"a multi-valued attribute stands for its values", `emails eq "x"`,
			`{"op":"any","path":["emails"],"terms":[{"op":"eq","path":["value"],"value":"x"}]}`},
		{"its sub-attribute is any element's", `emails.type eq "work"`,
			`{"op":"any","path":["emails"],"terms":[{"op":"eq","path":["type"],"value":"work"}]}`},
		{"its presence is that of the list", `emails pr`, `{"op":"pr","path":["emails"]}`},
		{"having none differs from every value", `emails.type ne "work"`,
			`{"op":"or","terms":[{"op":"not","terms":[{"op":"pr","path":["emails"]}]},{"op":"any","path":["emails"],` +
				`"terms":[{"op":"ne","path":["type"],"value":"work"}]}]}`},
		{"a value path asks one element for all", `emails[type eq "work" and value co "@example.com"]`,
			`{"op":"any","path":["emails"],"terms":[{"op":"and","terms":[{"op":"eq","path":["type"],"value":"work"},` +
				`{"op":"co","path":["value"],"value":"@example.com"}]}]}`},
		{"Entra ID's matching filter", `emails[type eq "work"].value eq "x"`,
			`{"op":"any","path":["emails"],"terms":[{"op":"and","terms":[{"op":"eq","path":["type"],"value":"work"},` +
				`{"op":"eq","path":["value"],"value":"x"}]}]}`},
		{"a value path on a complex attribute is about its parts", `name[givenName eq "G" or familyName pr]`,
			`{"op":"or","terms":[{"op":"eq","path":["name","givenName"],"value":"G"},{"op":"pr","path":["name",` +
				`"familyName"]}]}`},
		{"booleans may be strings", `roles[primary eq "True"].value eq "admin"`,
			`{"op":"any","path":["roles"],"terms":[{"op":"and","terms":[{"op":"eq","path":["primary"],"value":true},` +
				`{"op":"eq","path":["value"],"value":"admin"}]}]}`},
		{"an extension's attribute", enterprise + `:employeeNumber eq "701984"`,
			`{"op":"eq","path":["` + enterprise + `","employeeNumber"],"value":"701984"}`},
		{"its sub-attribute", strings.ToUpper(enterprise) + `:manager.value eq "7"`,
			`{"op":"eq","path":["` + enterprise + `","manager","value"],"value":"7","case_exact":true}`},
		{"its complex attribute stands for its value", enterprise + `:manager eq "7"`,
			`{"op":"eq","path":["` + enterprise + `","manager","value"],"value":"7","case_exact":true}`},
		{"a whole extension can be present", enterprise + ` pr`, `{"op":"pr","path":["` + enterprise + `"]}`},
		{"null is absence", `nickName eq null`, `{"op":"not","terms":[{"op":"pr","path":["nickName"]}]}`},
		{"not null is presence", `nickName ne null`, `{"op":"pr","path":["nickName"]}`},
		{"a number is text where the attribute is", enterprise + `:employeeNumber eq 701984`,
			`{"op":"eq","path":["` + enterprise + `","employeeNumber"],"value":"701984"}`},
		{"the groups of a person", `groups eq "g"`,
			`{"op":"any","path":["groups"],"terms":[{"op":"eq","path":["value"],"value":"g","case_exact":true}]}`},
		{"the kind of resource is known", `meta.resourceType eq "User"`, `{"op":"pr","path":["id"]}`},
		{"and so is what it is not", `meta.resourceType eq "Group"`,
			`{"op":"not","terms":[{"op":"pr","path":["id"]}]}`},
		{"an attribute that no schema knows", `Colour.Deep eq "red"`,
			`{"op":"eq","path":["Colour","Deep"],"value":"red"}`},
		{"an extension that no schema knows", `urn:x:2.0:User:badge gt 5`,
			`{"op":"gt","path":["urn:x:2.0:User","badge"],"value":5}`},
		{"escapes in strings are JSON's", `userName eq "a\"b\u00e9\\"`,
			`{"op":"eq","path":["userName"],"value":"a\"bé\\"}`},
		{"a backslash that begins no escape is one", `userName eq "CORP\jdoe"`,
			`{"op":"eq","path":["userName"],"value":"CORP\\jdoe"}`},
		{"so is an escaped one", `userName eq "CORP\\jdoe"`, `{"op":"eq","path":["userName"],"value":"CORP\\jdoe"}`},
		{"and one before a letter that JSON has an escape for",
			`userName eq "CORP\bob" or externalId eq "CORP\frank" or displayName eq "CORP\nancy" or emails[value eq ` +
				`"CORP\ruth"].value eq "CORP\tom"`,
			`{"op":"or","terms":[{"op":"eq","path":["userName"],"value":"CORP\\bob"},{"op":"eq",` +
				`"path":["externalId"],` +
				`"value":"CORP\\frank","case_exact":true},{"op":"eq","path":["displayName"],"value":"CORP\\nancy"},` +
				`{"op":"any",` +
				`"path":["emails"],"terms":[{"op":"and","terms":[{"op":"eq","path":["value"],"value":"CORP\\ruth"},` +
				`{"op":"eq",` +
				`"path":["value"],"value":"CORP\\tom"}]}]}]}`},
		{"and one before a u without digits", `userName eq "CORP\ursula" or userName eq "CORP\u12"`,
			`{"op":"or","terms":[{"op":"eq","path":["userName"],"value":"CORP\\ursula"},{"op":"eq",` +
				`"path":["userName"],` +
				`"value":"CORP\\u12"}]}`},
		{"several, and one at the start", `userName sw "\a\corp\"x" or userName eq "\\\\srv\dir"`,
			`{"op":"or","terms":[{"op":"sw","path":["userName"],"value":"\\a\\corp\"x"},{"op":"eq",` +
				`"path":["userName"],` +
				`"value":"\\\\srv\\dir"}]}`},
		{"one without quotes", `userName eq CORP\jdoe`, `{"op":"eq","path":["userName"],"value":"CORP\\jdoe"}`},
		{"a postal address has lines", `addresses[formatted eq "A\nB"].streetAddress eq "C\r\n\tD"`,
			`{"op":"any","path":["addresses"],"terms":[{"op":"and","terms":[{"op":"eq","path":["formatted"],` +
				`"value":"A\nB"},` +
				`{"op":"eq","path":["streetAddress"],"value":"C\r\n\tD"}]}]}`},
		{"a control character by its number", `userName eq "a\u000ab"`,
			`{"op":"eq","path":["userName"],"value":"a\nb"}`},
		{"a pair of surrogates", `userName eq "\ud83d\ude00\u0041\u00e9"`,
			`{"op":"eq","path":["userName"],"value":"😀Aé"}`},
		{"slashes as PHP escapes them", `profileUrl eq "https:\/\/x"`,
			`{"op":"eq","path":["profileUrl"],"value":"https://x","case_exact":true}`},
		{"an apostrophe as SQL escapes it", `name.familyName eq "O\'Malley"`,
			`{"op":"eq","path":["name","familyName"],"value":"O'Malley"}`},
		{"single quotes", `userName eq 'bjensen'`, `{"op":"eq","path":["userName"],"value":"bjensen"}`},
		{"single quotes with an apostrophe, doubled and not",
			`name.familyName eq 'O''Malley' or (name.familyName eq 'O'Malley') or name.familyName eq ''`,
			`{"op":"or","terms":[{"op":"eq","path":["name","familyName"],"value":"O'Malley"},{"op":"eq",` +
				`"path":["name",` +
				`"familyName"],"value":"O'Malley"},{"op":"eq","path":["name","familyName"],"value":""}]}`},
		{"single quotes around what is syntax elsewhere",
			`emails[type eq 'work'].value eq 'a "b" and c\d' and active eq 'True'`,
			`{"op":"and","terms":[{"op":"any","path":["emails"],"terms":[{"op":"and","terms":[{"op":"eq",` +
				`"path":["type"],` +
				`"value":"work"},{"op":"eq","path":["value"],"value":"a \"b\" and ` +
				`c\\d"}]}]},{"op":"eq","path":["active"],"value":true}]}`},
		{"Entra ID's other matching filter, without the sub-attribute", `emails[type eq "work"] eq "x"`,
			`{"op":"any","path":["emails"],"terms":[{"op":"and","terms":[{"op":"eq","path":["type"],"value":"work"},` +
				`{"op":"eq","path":["value"],"value":"x"}]}]}`},
		{"with another operator, between others", `active eq true and (phoneNumbers[type eq "work" and primary eq 1] ` +
			`Co "5" or not (roles[type eq "a" or type eq "b"] pr))`,
			`{"op":"and","terms":[{"op":"eq","path":["active"],"value":true},{"op":"or","terms":[{"op":"any",` +
				`"path":["phoneNumbers"],"terms":[{"op":"and","terms":[{"op":"eq","path":["type"],"value":"work"},` +
				`{"op":"eq",` +
				`"path":["primary"],"value":true},{"op":"co","path":["value"],"value":"5"}]}]},{"op":"not",` +
				`"terms":[{"op":"any",` +
				`"path":["roles"],"terms":[{"op":"and","terms":[{"op":"or","terms":[{"op":"eq","path":["type"],` +
				`"value":"a"},` +
				`{"op":"eq","path":["type"],"value":"b"}]},{"op":"pr","path":["value"]}]}]}]}]}]}`},
		{"numbers and their texts where booleans are", `active eq 1 or active eq "0" or active ne no`,
			`{"op":"or","terms":[{"op":"eq","path":["active"],"value":true},{"op":"eq","path":["active"],` +
				`"value":false},` +
				`{"op":"ne","path":["active"],"value":false}]}`},
		{"numbers where text is, by every operator",
			`externalId eq 4711 or userName sw 47 or emails[type eq 1].value eq 2 ` +
				`or ` + enterprise + `:manager eq 7`,
			`{"op":"or","terms":[{"op":"eq","path":["externalId"],"value":"4711","case_exact":true},{"op":"sw",` +
				`"path":["userName"],"value":"47"},{"op":"any","path":["emails"],"terms":[{"op":"and",` +
				`"terms":[{"op":"eq",` +
				`"path":["type"],"value":"1"},{"op":"eq","path":["value"],"value":"2"}]}]},{"op":"eq",` +
				`"path":["` + enterprise +
				`","manager","value"],"value":"7","case_exact":true}]}`},
		{"brackets and words in strings are text", `userName eq "a) and (b] or ["`,
			`{"op":"eq","path":["userName"],"value":"a) and (b] or ["}`},
		{"space may be generous", "  userName   eq  \"a\"\t", `{"op":"eq","path":["userName"],"value":"a"}`},
		{"schemas have no parts", `schemas eq "urn:x"`,
			`{"op":"any","path":["schemas"],"terms":[{"op":"eq","value":"urn:x","case_exact":true}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := filter.Parse(tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			got, err := filter.Compile(e, schema.User)
			if err != nil {
				t.Fatal(err)
			}
			if want := predicate(t, tt.want); asJSON(t, got) != asJSON(t, want) {
				t.Errorf("got  %s\nwant %s", asJSON(t, got), asJSON(t, want))
			}
		})
	}
}

// xsd:dateTime has an optional zone (RFC 7643 section 2.3.5); clients leave out
// more than that.
func TestTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2011-05-13T06:42:34Z":           "2011-05-13T06:42:34Z",
		"2011-05-13T06:42:34":            "2011-05-13T06:42:34Z",
		"2011-05-13T06:42:34.5":          "2011-05-13T06:42:34.5Z",
		"2011-05-13T06:42:34,25Z":        "2011-05-13T06:42:34.25Z",
		"2011-05-13t06:42:34z":           "2011-05-13T06:42:34Z",
		" 2011-05-13T06:42:34Z ":         "2011-05-13T06:42:34Z",
		"2011-05-13T06:42:34+02:00":      "2011-05-13T04:42:34Z",
		"2011-05-13T06:42:34 02:00":      "2011-05-13T04:42:34Z", // what a query makes of +
		"2011-05-13T06:42:34.123 02:00":  "2011-05-13T04:42:34.123Z",
		"2011-05-13T06:42:34-02:00":      "2011-05-13T08:42:34Z",
		"2011-05-13T06:42:34+0200":       "2011-05-13T04:42:34Z",
		"2011-05-13T06:42:34.000+0000":   "2011-05-13T06:42:34Z",
		"2011-05-13T06:42:34-02":         "2011-05-13T08:42:34Z",
		"2011-05-13T06:42":               "2011-05-13T06:42:00Z",
		"2011-05-13T06:42Z":              "2011-05-13T06:42:00Z",
		"2011-05-13 06:42:34":            "2011-05-13T06:42:34Z",
		"2011-05-13 06:42:34+02:00":      "2011-05-13T04:42:34Z",
		"2011-05-13 06:42:34 02:00":      "2011-05-13T04:42:34Z",
		"2011-05-13":                     "2011-05-13T00:00:00Z",
		"2011-05-13Z":                    "2011-05-13T00:00:00Z",
		"20110513T064234Z":               "2011-05-13T06:42:34Z",
		"20110513064234Z":                "2011-05-13T06:42:34Z",
		"20110513064234.0Z":              "2011-05-13T06:42:34Z",
		"2011-05-13T06:42:34.123456789Z": "2011-05-13T06:42:34.123456789Z",
		"yesterday":                      "",
		"":                               "",
		"2011-13-05T06:42:34Z":           "",
		"06:42:34":                       "",
		"13.05.2011":                     "",
		"1305261754":                     "",
		"2011-05-13T06:42:34 UTC":        "",
	} {
		e, err := filter.Parse(`meta.lastModified gt "` + text + `"`)
		if err != nil {
			t.Fatal(err)
		}
		p, err := filter.Compile(e, schema.User)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is %v, want it refused", text, p.Value)
		case want != "" && (err != nil || p.Value != want):
			t.Errorf("%q is %v, %v, want %q", text, p.Value, err, want)
		}
	}
}

func TestRefusedFilters(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("(", 40) + "title pr" + strings.Repeat(")", 40)
	wide := strings.Repeat("title pr or ", 501) + "title pr"
	tests := []struct {
		name   string
		filter string
		says   string
	}{
		{"nothing", ``, "character 1: wanted an attribute, got the end"},
		{"no operator", `userName`, "character 9: wanted an operator"},
		{"an unknown operator", `userName is "x"`, `character 10: wanted an operator`},
		{"no value", `userName eq`, "character 12: wanted a string"},
		{"a single quote without its end", `userName eq 'bjensen`, `character 13: wanted a string in double quotes`},
		{"a single quote that ends in the middle", `userName eq 'rock 'n' roll'`, `wanted the end`},
		{"typographic quotes", `userName eq “bjensen”`, `character 13: wanted a string in double quotes`},
		{"backticks", "userName eq `bjensen`", `character 13: wanted a string in double quotes`},
		{"quotes escaped twice", `userName eq \"bjensen\"`, `character 13: wanted a string in double quotes`},
		{"a backslash before the closing quote", `userName eq "CORP\"`,
			`character 13: the string has no closing quote; ` +
				`a backslash before a quote belongs to the string, write \\`},
		{"a value that is half an object", `userName eq {x}`, `wanted a string in double quotes`},
		{"a word behind a string", `userName eq "b" jensen`, `wanted the end, got "jensen"`},
		{"a string behind a word", `userName eq b "jensen"`, `wanted the end`},
		{"a word without quotes and a filter that breaks off", `userName eq b and active eq`, `wanted a string`},
		{"nothing but and", `userName eq and`, `wanted a string in double quotes, a number, true, false or null, ` +
			`got "and"`},
		{"a boolean that is a word", `active eq maybe`, "true or false"},
		{"a string without its end", `userName eq "bjensen`, "character 13: the string has no closing quote"},
		{"a line break that is not escaped", "userName eq \"a\nb\"", "character 13"},
		{"a NUL in single quotes", `userName eq 'a\u0000'`, "character 13"},
		{"an open parenthesis", `(userName pr`, `")"`},
		{"a closing one too many", `userName pr)`, "character 12: wanted the end"},
		{"an open bracket", `emails[type eq "work"`, `"]"`},
		{"not without parentheses", `not userName pr`, `"(" after not`},
		{"not before words without quotes", `NOT eq Research and Development`, `"(" after not`},
		{"an operator at the end", `userName pr and`, "wanted an attribute, got the end"},
		{"two filters without an operator", `userName pr title pr`, "wanted the end"},
		{"an attribute in quotes", `"userName" eq "x"`, "wanted an attribute"},
		{"a path too long", `name.given.first eq "x"`, "wanted an attribute"},
		{"nesting without end", deep, "nested deeper than 32"},
		{"comparisons without end", wide, "more than 500 comparisons"},
		{"a megabyte", `userName eq "` + strings.Repeat("x", 1<<20) + `"`, "longer than"},
		{"invalid UTF-8", "userName eq \"\xff\"", "not valid UTF-8"},
		{"NUL", "userName eq \"a\x00\"", "not valid UTF-8"},
		{"NUL escaped", `userName eq "a\u0000"`, "wanted a string"},
		{"an order of booleans", `active gt true`, "eq and ne only"},
		{"a boolean that is neither", `active eq "maybe"`, "true or false"},
		{"a time that is none", `meta.created gt "yesterday"`, "must be a time"},
		{"a text search in a time", `meta.created co "2026"`, "times are compared"},
		{"a complex attribute without a value", `name eq "x"`, "compare one of its sub-attributes"},
		{"postal addresses have no value either", `addresses eq "x"`, "compare one of its sub-attributes"},
		{"an order of null", `nickName gt null`, "null is compared"},
		{"a boolean where text is", `nickName eq true`, "string in double quotes"},
		{"the password", `password eq "x"`, "cannot be filtered by"},
		{"meta as a whole", `meta eq "x"`, "cannot be filtered by"},
		{"a part of an address", `meta.location co "x"`, "compared by eq and ne"},
		{"an address that is no text", `groups[$ref eq 5]`, "compared by eq and ne"},
		{"an order of certificates", `x509Certificates.value gt "x"`, "have no order"},
		{"brackets in brackets", `emails[type[value pr] pr]`, ""},
		{"brackets behind a sub-attribute", `emails.value[type pr]`, "follows a multi-valued attribute"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := filter.Parse(tt.filter)
			if err == nil {
				_, err = filter.Compile(e, schema.User)
			}
			fault, ok := errors.AsType[*schema.Error](err)
			if !ok || fault.Kind != schema.InvalidFilter {
				t.Fatalf("got %v, want invalidFilter", err)
			}
			if !strings.Contains(fault.Detail, tt.says) {
				t.Errorf("it says %q, want %q in it", fault.Detail, tt.says)
			}
			if len(fault.Detail) > 300 {
				t.Errorf("the detail is %d bytes long", len(fault.Detail))
			}
		})
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want string // of the parts; empty if refused
	}{
		{`userName`, "userName||"},
		{`name.familyName`, "name.familyName||"},
		{`emails[type eq "work"]`, `emails|type eq "work"|`},
		{`emails[type eq "work"].value`, `emails|type eq "work"|value`},
		{`emails[type eq 'work'].value`, `emails|type eq "work"|value`},
		{`members[value eq "CORP\bob"]`, `members|value eq "CORP\\bob"|`},
		{`emails[type EQ "a]b"].Value`, `emails|type eq "a]b"|Value`},
		{`members[value eq 2819c223-7f76]`, `members|value eq "2819c223-7f76"|`},
		{enterprise + `:manager`, enterprise + ":manager||"},
		{`urn:x:User:doors[open eq true].name`, `urn:x:User:doors|open eq true|name`},
		{`emails[type eq "work"] .value`, ""},
		{`emails[type eq "work"].value.x`, ""},
		{`emails[type eq "work"]value`, ""},
		{`emails[]`, ""},
		{`emails[type eq "work"`, ""},
		{`userName eq "x"`, ""},
		{``, ""},
	}
	for _, tt := range tests {
		t.Run("path "+tt.text, func(t *testing.T) {
			t.Parallel()
			p, err := filter.ParsePath(tt.text)
			if err != nil {
				if fault, ok := errors.AsType[*schema.Error](err); !ok ||
					fault.Kind != schema.InvalidPath || tt.want != "" {
					t.Fatalf("got %v", err)
				}
				return
			}
			got := p.Attribute.String() + "|"
			if p.Filter != nil {
				got += p.Filter.String()
			}
			if got += "|" + p.Sub; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	const person = `{"userName":"BJensen","active":true,"n":10,"title":"",
		"name":{"familyName":"Jensen"},
		"emails":[{"value":"b@work.example","type":"work"},{"value":"b@home.example","type":"home"}],
		"meta":{"created":"2026-01-31T08:00:00Z"}}`
	tests := []struct {
		filter string
		want   bool
	}{
		{`userName eq "bjensen"`, true},
		{`userName ne "bjensen"`, false},
		{`nickName ne "x"`, true},
		{`nickName eq "x"`, false},
		{`title pr`, false},
		{`name pr and name.familyName ew "SEN"`, true},
		{`userName sw "bj" and userName co "JEN"`, true},
		{`userName gt "a" and userName lt "c"`, true},
		{`n gt 9 and n le 10 and n ne 11`, true},
		{`n gt "9"`, false},
		{`n eq 10.0`, true},
		{`n lt 1e3`, true},
		{`active eq "True"`, true},
		{`active ne true`, false},
		{`emails[type eq "work" and value ew "home.example"]`, false},
		{`emails[type eq "home" and value ew "home.example"]`, true},
		{`emails.type ne "work"`, true},
		{`roles ne "x"`, true},
		{`meta.created ge "2026-01-31T09:00:00+01:00" and meta.created lt "2026-01-31T08:00:00.5Z"`, true},
		{`not (userName eq "x") or active eq false`, true},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			t.Parallel()
			e, err := filter.Parse(tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			p, err := filter.Compile(e, schema.User)
			if err != nil {
				t.Fatal(err)
			}
			decoder := json.NewDecoder(strings.NewReader(person))
			decoder.UseNumber()
			var on any
			if err := decoder.Decode(&on); err != nil {
				t.Fatal(err)
			}
			if got := filter.Match(p, on); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestImplied(t *testing.T) {
	t.Parallel()
	tests := []struct {
		filter string
		want   map[string]any // nil if it implies nothing
	}{
		{`type eq "work"`, map[string]any{"type": "work"}},
		{`TYPE eq "work" and primary eq "True"`, map[string]any{"type": "work", "primary": true}},
		{`type eq "work" and type eq "home"`, nil},
		{`type ne "work"`, nil},
		{`type eq "work" or type eq "home"`, nil},
		{`type pr`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			t.Parallel()
			e, err := filter.Parse(tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			p, err := filter.CompileElement(e, schema.User.Attribute("emails"))
			if err != nil {
				t.Fatal(err)
			}
			got, ok := filter.Implied(p)
			if ok != (tt.want != nil) || ok && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, %v", got, ok)
			}
		})
	}
}

// What is printed parses to what was printed, and whatever parses compiles or
// is refused as a filter.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`userName eq "bjensen"`, `title pr and (userType eq "E" or not (active eq false))`,
		`emails[type eq "work" and value co "@"].value ne null`, enterprise + `:manager.value eq -1.5e3`,
		`userName eq "CORP\bob\u000a" or formatted eq "a\nb\"" or emails[type eq 'it''s'] sw 'O'M'`,
		`a eq b c or d eq 5 e`, `a eq b and c`, `a eq "\u00e9\"" or a eq 1 and b pr`, `((a pr))`, `not (not (a pr))`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := filter.Parse(text)
		if err != nil {
			if _, ok := errors.AsType[*schema.Error](err); !ok {
				t.Fatalf("%v is no fault", err)
			}
			return
		}
		again, err := filter.Parse(e.String())
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, e, err)
		}
		if !reflect.DeepEqual(e, again) {
			t.Fatalf("%q prints as %q, which is %#v and not %#v", text, e, again, e)
		}
		for _, r := range []*schema.Resource{schema.User, schema.Group} {
			if p, err := filter.Compile(e, r); err == nil {
				filter.Match(p, map[string]any{"userName": "x", "emails": []any{map[string]any{"value": "y"}, "z"}})
			} else if _, ok := errors.AsType[*schema.Error](err); !ok {
				t.Fatalf("%v is no fault", err)
			}
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{`userName`, `emails[type eq "work"].value`, enterprise + `:manager.value`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := filter.ParsePath(text)
		if err != nil {
			return
		}
		if again, err := filter.ParsePath(p.String()); err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%q prints as %q: %v", text, p, err)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		e, err := filter.Parse(`emails[type eq "work"].value eq "bjensen@example.com"`)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := filter.Compile(e, schema.User); err != nil {
			b.Fatal(err)
		}
	}
}
