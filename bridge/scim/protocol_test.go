package scim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// names lists an attribute of the resources of an answer, in their order.
func (a answer) names(t *testing.T, attribute string) []string {
	t.Helper()
	resources, ok := a.at("Resources").([]any)
	if !ok {
		t.Fatalf("not a list: %d %s", a.status, a.raw)
	}
	list := make([]string, len(resources))
	for i, resource := range resources {
		list[i] = fmt.Sprint(answer{body: resource.(map[string]any)}.at(attribute))
	}
	return list
}

// Every answer that shows a resource shows what was asked for, and never less
// than id and schemas (RFC 7644 section 3.9, RFC 7643 section 7).
func TestEveryAnswerShowsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	const person = `{"userName":"u","password":"secret","title":"T","name":{"givenName":"G","familyName":"F"}}`
	id, _ := create(t, server, "/Users", person)
	group, _ := create(t, server, "/Groups", `{"displayName":"g","externalId":"e","members":[{"value":"`+id+`"}]}`)
	tests := []struct {
		name, method, path, body string
		has, lacks               []string
	}{
		{"all by default, but no password", "GET", "/Users/" + id, "",
			[]string{"id", "schemas", "meta", "userName", "title", "groups", "active"}, []string{"password"}},
		{"a password that is asked for stays away", "GET", "/Users/" + id + "?attributes=password,title", "",
			[]string{"id", "schemas", "title"}, []string{"password", "userName", "meta", "groups"}},
		{"a sub-attribute", "GET", "/Users/" + id + "?attributes=NAME.givenname", "", []string{"name.givenName"},
			[]string{"name.familyName", "title"}},
		{"excluded attributes are gone, but for id and schemas", "GET",
			"/Users/" + id + "?excludedAttributes=id,schemas,meta,name.familyName", "",
			[]string{"id", "schemas", "name.givenName", "title"}, []string{"meta", "name.familyName"}},
		{"POST", "POST", "/Users?attributes=userName", `{"userName":"v","title":"T"}`, []string{"id", "userName"},
			[]string{"title", "meta"}},
		{"PUT", "PUT", "/Users/" + id + "?excludedAttributes=name", person, []string{"id", "title"},
			[]string{"name", "password"}},
		{"PATCH", "PATCH", "/Users/" + id + "?attributes=title",
			`{"Operations":[{"op":"replace","path":"title","value":"U"}]}`,
			[]string{"id", "title"}, []string{"userName"}},
		{"PATCH of a group, which is answered because of them", "PATCH", "/Groups/" + group + "?attributes=displayName",
			`{"Operations":[{"op":"replace","path":"externalId","value":"f"}]}`, []string{"id", "displayName"},
			[]string{"externalId", "members"}},
		{"a group without its members", "GET", "/Groups/" + group + "?excludedAttributes=members", "",
			[]string{"displayName", "externalId"}, []string{"members"}},
		{"a group with nothing but its members", "GET", "/Groups/" + group + "?attributes=members", "",
			[]string{"id", "members"}, []string{"displayName"}},
	}
	for _, tt := range tests {
		a := ask(t, server, tt.method, tt.path, tt.body)
		if a.status >= http.StatusMultipleChoices {
			t.Errorf("%s: %d %s", tt.name, a.status, a.raw)
			continue
		}
		for _, attribute := range tt.has {
			if a.at(attribute) == nil {
				t.Errorf("%s: %s is missing from %s", tt.name, attribute, a.raw)
			}
		}
		for _, attribute := range tt.lacks {
			if a.at(attribute) != nil {
				t.Errorf("%s: %s is in %s", tt.name, attribute, a.raw)
			}
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		path, body := "/Users?attributes=title", ""
		if method == http.MethodPost {
			path, body = "/Users/.search", `{"attributes":["title"]}`
		}
		a := ask(t, server, method, path, body)
		if title, name := a.names(t, "title")[0], a.names(t, "userName")[0]; title == "<nil>" || name != "<nil>" {
			t.Errorf("%s of a list: %s", method, a.raw)
		}
	}
}

// RFC 7644 section 3.4.2.4, down to its edges.
func TestPagingByIndex(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	for i := range 7 {
		create(t, server, "/Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
	}
	tests := []struct {
		name, query string
		start       float64
		want        string
	}{
		{"all by default", "", 1, "u0 u1 u2 u3 u4 u5 u6"},
		{"a page in the middle", "startIndex=3&count=2", 3, "u2 u3"},
		{"the last page is shorter", "startIndex=6&count=5", 6, "u5 u6"},
		{"behind the end", "startIndex=8&count=5", 8, ""},
		{"far behind the end", "startIndex=99999999999999999999&count=5", 9223372036854775807, ""},
		{"an index below one means one", "startIndex=0&count=1", 1, "u0"},
		{"so does a negative one", "startIndex=-5&count=1", 1, "u0"},
		{"nothing but the number of results", "count=0", 1, ""},
		{"a negative count means none", "count=-3", 1, ""},
		{"a count beyond the bound is the bound", "count=1000000", 1, "u0 u1 u2 u3 u4 u5 u6"},
		{"names of parameters in any case", "STARTINDEX=7&Count=3", 7, "u6"},
		{"whole numbers of languages that have one kind of number", "startIndex=2.0&count=3.0", 2, "u1 u2 u3"},
		{"with an exponent", "startIndex=1E0&count=2e0", 1, "u0 u1"},
		{"far behind the end, with a point", "startIndex=99999999999999999999.0&count=5", 9223372036854775807, ""},
		{"far before the start, with a point", "startIndex=-1e30&count=1", 1, "u0"},
		{"with a sign and blanks", "startIndex=%2B2&count=%201%20", 2, "u1"},
		{"with nothing in it", "startIndex=&count=", 1, "u0 u1 u2 u3 u4 u5 u6"},
	}
	for _, tt := range tests {
		a := ask(t, server, http.MethodGet, "/Users?"+tt.query, "")
		names := a.names(t, "userName")
		if strings.Join(names, " ") != tt.want || a.at("totalResults") != 7.0 ||
			a.at("itemsPerPage") != float64(len(names)) || a.at("startIndex") != tt.start {
			t.Errorf("%s: %s", tt.name, a.raw)
		}
	}
}

// In a form + is a blank, in a URL it is itself; clients write both, and some
// both in one. How the first blank of a value is written tells which.
func TestBlanksInAQuery(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	for _, name := range []string{"a+tag@x", "b;c@x", "d e", "f&g", "h=i", "j%k", "l#m"} {
		create(t, server, "/Users", `{"userName":"`+name+`","title":"q"}`)
	}
	for _, row := range []struct{ name, query, want string }{
		{"blanks as %20 leave + alone", "filter=userName%20eq%20%22a+tag@x%22", "a+tag@x"},
		{"and %2B too", "filter=userName%20eq%20%22a%2Btag%40x%22", "a+tag@x"},
		{"blanks as + need %2B", "filter=userName+eq+%22a%2Btag@x%22", "a+tag@x"},
		{"blanks as + are blanks in the value", "filter=userName+eq+%22d+e%22", "d e"},
		{"and may be mixed with %20", "filter=userName+eq+%22d%20e%22", "d e"},
		{"a + behind a bracket",
			"filter=emails[type%20eq%20%22work%22].value%20eq%20%22a+b%22%20or%20userName%20eq%20%22a+tag@x%22",
			"a+tag@x"},
		{"a text without quotes", "filter=userName%20eq%20a+tag@x", "a+tag@x"},
		{"each value for itself", "attributes=userName,+id&filter=userName%20eq%20%22a+tag@x%22", "a+tag@x"},
		{"the other way round", "filter=userName+eq+%22a%2Btag@x%22&attributes=id,%20userName", "a+tag@x"},
		{"a time with an offset", "filter=meta.created%20lt%20%222026-01-31T09:00:02+01:00%22", "a+tag@x"},
		{"the same behind blanks that are +", "filter=meta.created+lt+%222026-01-31T09:00:02%2B01:00%22", "a+tag@x"},
		{"a semicolon", "filter=userName%20eq%20%22b;c@x%22", "b;c@x"},
		{"a semicolon escaped", "filter=userName%20eq%20%22b%3Bc@x%22", "b;c@x"},
		{"a semicolon in an unknown name", "a;b=c;d&filter=userName%20eq%20%22b;c@x%22", "b;c@x"},
		{"an ampersand in a string", "filter=userName%20eq%20%22f&g%22", "f&g"},
		{"before other parameters", "count=1&filter=userName%20eq%20%22f&g%22&attributes=userName", "f&g"},
		{"several, and an escaped quote",
			"filter=title%20eq%20%22&&%5C%22&%22%20or%20userName%20eq%20%22f&g%22&startIndex=1",
			"f&g"},
		{"an ampersand behind blanks that are +", "filter=userName+eq+%22f&g%22", "f&g"},
		{"an ampersand escaped", "filter=userName%20eq%20%22f%26g%22", "f&g"},
		{"an equals sign", "filter=userName%20eq%20%22h=i%22", "h=i"},
		{"a percent sign escaped", "filter=userName%20eq%20%22j%25k%22", "j%k"},
		{"a hash escaped", "filter=userName%20eq%20%22l%23m%22", "l#m"},
		{"ampersands without anything between", "&&filter=userName%20eq%20%22h=i%22&", "h=i"},
		{"a parameter without a value", "sortBy&filter=userName%20eq%20%22h=i%22", "h=i"},
	} {
		a := ask(t, server, http.MethodGet, "/Users?"+row.query, "")
		if got := strings.Join(a.names(t, "userName"), " "); got != row.want {
			t.Errorf("%s: got %q, want %q: %s", row.name, got, row.want, a.raw)
		}
	}
	for _, query := range []string{
		"filter=userName%20eq%20%22f&count=1", "filter=userName%20eq%20%22f&", "filter=%22&%22&%22",
	} {
		if a := ask(t, server, http.MethodGet, "/Users?"+query, ""); a.status != http.StatusBadRequest ||
			a.at("scimType") != "invalidFilter" {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
	for _, query := range []string{"filter=%zz", "filter=userName%20eq%20%22a+%2%22", "%2=a"} {
		if a := ask(t, server, http.MethodGet, "/Users?"+query, ""); a.status != http.StatusBadRequest ||
			a.at("scimType") != "invalidValue" {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
}

// RFC 9865: from page to page by cursor, without a startIndex, to the end.
func TestPagingByCursor(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	for i := range 5 {
		create(t, server, "/Groups", fmt.Sprintf(`{"displayName":"g%d"}`, i))
	}
	var seen []string
	cursor, pages := "", 0
	for ; pages == 0 || cursor != ""; pages++ {
		a := ask(t, server, http.MethodGet,
			"/Groups?excludedAttributes=members&count=2&cursor="+url.QueryEscape(cursor), "")
		if a.at("startIndex") != nil || a.at("totalResults") != 5.0 {
			t.Fatalf("got %s", a.raw)
		}
		seen = append(seen, a.names(t, "displayName")...)
		cursor, _ = a.at("nextCursor").(string)
	}
	if want := []string{"g0", "g1", "g2", "g3", "g4"}; !slices.Equal(seen, want) || pages != 3 {
		t.Errorf("got %v on %d pages", seen, pages)
	}
	for _, cursor := range []string{"made-up", "%00", "9999999999999999999999"} {
		if a := ask(t, server, http.MethodGet, "/Groups?cursor="+cursor, ""); a.status != http.StatusBadRequest ||
			a.at("scimType") != "invalidCursor" {
			t.Errorf("the cursor %s: %d %s", cursor, a.status, a.raw)
		}
	}
}

// RFC 7644 section 3.4.2.3: resources without the attribute come last, or first if
// the order is turned round; case matters only where the attribute says so.
func TestSorting(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	for _, person := range []string{
		`{"userName":"c","name":{"familyName":"alpha"},"emails":[{"value":"2@x"}]}`,
		`{"userName":"A","name":{"familyName":"Beta"},"emails":[{"value":"1@x"}]}`,
		`{"userName":"b"}`,
	} {
		create(t, server, "/Users", person)
	}
	for query, want := range map[string]string{
		"sortBy=userName":                                                                "A b c",
		"sortBy=userName&sortOrder=descending":                                           "c b A",
		"sortBy=name.familyName":                                                         "c A b",
		"sortBy=name.familyName&sortOrder=Descending":                                    "b A c",
		"sortBy=userName&sortOrder=DESC":                                                 "c b A",
		"sortBy=userName&sortOrder=asc":                                                  "A b c",
		"sortBy=urn:ietf:params:scim:schemas:core:2.0:User.name.familyName":              "c A b",
		"sortBy=urn:ietf:params:scim:schemas:core:2.0:User:userName&sortOrder=ascending": "A b c",
	} {
		if got := strings.Join(ask(t, server, http.MethodGet, "/Users?"+query, "").names(t,
			"userName"), " "); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

// RFC 7644 sections 3.1 and 3.8: which media types are taken and given.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	const body = `{"userName":"u"}`
	tests := []struct {
		name    string
		headers []string
		status  int
	}{
		{"SCIM", []string{"Content-Type", "application/scim+json", "Accept", "application/scim+json"}, 201},
		{"SCIM with a character set", []string{"Content-Type", `application/scim+json; charset="UTF-8"`, "Accept",
			"application/scim+json; charset=utf-8"}, 409},
		{"plain JSON", []string{"Content-Type", "application/json", "Accept", "application/json"}, 409},
		{"in capitals", []string{"Content-Type", "Application/JSON", "Accept", "Application/SCIM+JSON"}, 409},
		{"anything but JSON is unwanted, which JSON is not",
			[]string{"Accept", "text/html;q=0, application/json"}, 409},
		{"no type at all", []string{"Content-Type", "", "Accept", ""}, 409},
		{"anything is accepted", []string{"Accept", "text/html, */*;q=0.1"}, 409},
		{"a bare star, as Java's HttpURLConnection sends it",
			[]string{"Accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}, 409},
		{"nothing but a bare star", []string{"Accept", "*"}, 409},
		{"a bare star with a weight", []string{"Accept", "text/xml, * ; q=0.1"}, 409},
		{"JSON of another name", []string{"Accept", "text/json", "Content-Type", "text/json; charset=utf-8"}, 409},
		{"SCIM the other way round",
			[]string{"Accept", "application/json+scim", "Content-Type", "application/json+scim;charset=UTF-8"}, 409},
		{"JSON without its kind", []string{"Accept", "json"}, 409},
		{"any kind of JSON", []string{"Accept", "application/*+json"}, 409},
		{"JSON of some application", []string{"Accept", "application/vnd.api+json"}, 409},
		{"any kind that ends in json", []string{"Accept", "*/json"}, 409},
		{"the character set twice", []string{"Content-Type", "application/json; charset=utf-8; charset=utf-8"}, 409},
		{"the type twice, joined by a proxy", []string{"Content-Type", "application/json, application/scim+json"}, 409},
		{"a semicolon too many", []string{"Content-Type", "application/scim+json;"}, 409},
		{"parameters that are none", []string{"Content-Type", "application/json; charset"}, 409},
		{"no type in particular", []string{"Content-Type", "*/*"}, 409},
		{"the character set as an encoding", []string{"Content-Encoding", "UTF-8"}, 409},
		{"a form", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"text", []string{"Content-Type", "text/plain;charset=UTF-8"}, 415},
		{"a body in gzip", []string{"Content-Encoding", "gzip"}, 415},
		{"anything but a star", []string{"Accept", "*;q=0, text/html"}, 406},
		{"a type that is none", []string{"Content-Type", ";"}, 415},
		{"JSON Patch, which is another thing", []string{"Content-Type", "application/json-patch+json"}, 415},
		{"an answer in XML", []string{"Accept", "application/xml"}, 406},
		{"anything but JSON", []string{"Accept", "application/json;q=0, application/scim+json; q=0.0, text/html"}, 406},
	}
	for _, tt := range tests {
		a := ask(t, server, http.MethodPost, "/Users", body, tt.headers...)
		if a.status != tt.status || a.header.Get("Content-Type") != "application/scim+json" {
			t.Errorf("%s: got %d %q, want %d: %s", tt.name, a.status, a.header.Get("Content-Type"), tt.status, a.raw)
		}
	}
}

// A client may not write what is not its own, and hears why
// (RFC 7644 section 3.5.2, RFC 7643 section 7).
func TestMutability(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	id, version := create(t, server, "/Users", `{"userName":"u"}`)
	group, _ := create(t, server, "/Groups", `{"displayName":"g"}`)
	tests := []struct{ name, path, operation, kind string }{
		{"an id is not written", "/Users/" + id, `{"op":"replace","path":"id","value":"x"}`, "mutability"},
		{"nor is meta", "/Users/" + id, `{"op":"add","path":"meta.version","value":"x"}`, "mutability"},
		{"nor are groups, which change through the group", "/Users/" + id,
			`{"op":"add","path":"groups","value":[{"value":"` +
				group + `"}]}`, "mutability"},
		{"nor taken away", "/Groups/" + group, `{"op":"remove","path":"id"}`, "mutability"},
		{"a userName is required", "/Users/" + id, `{"op":"remove","path":"userName"}`, "mutability"},
		{"so is a group's name", "/Groups/" + group, `{"op":"remove","path":"displayName"}`, "mutability"},
		{"an empty name is no name", "/Groups/" + group,
			`{"op":"replace","path":"displayName","value":" "}`, "invalidValue"},
		{"remove says what", "/Users/" + id, `{"op":"remove"}`, "noTarget"},
		{"a filter that tells nothing makes nothing", "/Users/" + id,
			`{"op":"replace","path":"emails[value co \"x\"].value","value":"y"}`, "noTarget"},
		{"a path with one value takes no filter", "/Users/" + id,
			`{"op":"add","path":"name[givenName eq \"x\"]","value":{}}`,
			"invalidPath"},
		{"a text has no parts", "/Users/" + id, `{"op":"add","path":"title.a","value":"x"}`, "invalidPath"},
		{"a value of the wrong type", "/Users/" + id, `{"op":"add","path":"name","value":["x","y"]}`, "invalidValue"},
		{"an unknown operation", "/Users/" + id, `{"op":"move","path":"title"}`, "invalidSyntax"},
	}
	for _, tt := range tests {
		// What comes before it in the same request is not carried out either.
		a := ask(t, server, http.MethodPatch, tt.path,
			`{"Operations":[{"op":"add","path":"externalId","value":"half"},`+
				tt.operation+`]}`)
		if a.status != http.StatusBadRequest || a.at("scimType") != tt.kind {
			t.Errorf("%s: %d %s, want %s", tt.name, a.status, a.raw, tt.kind)
		}
		detail, _ := a.at("detail").(string)
		if !strings.Contains(detail, "operation 2") && !strings.Contains(detail, "must not be empty") {
			t.Errorf("%s: the answer does not say which operation: %s", tt.name, a.raw)
		}
		if now := ask(t, server, http.MethodGet, tt.path, ""); now.at("externalId") != nil {
			t.Errorf("%s: half of it was carried out: %s", tt.name, now.raw)
		}
	}
	if now := ask(t, server, http.MethodGet, "/Users/"+id, ""); now.header.Get("ETag") != version {
		t.Errorf("refused requests made version %s of %s", now.header.Get("ETag"), version)
	}
	// Within a whole resource that comes back it is passed over (RFC 7644 section 3.5.1).
	a := ask(t, server, http.MethodPut, "/Users/"+id,
		`{"userName":"u","id":"other","meta":{"version":"x"},"groups":[{"value":"x"}],"password":"p"}`)
	if a.status != http.StatusOK || a.at("id") != id || a.at("groups") != nil || a.at("password") != nil {
		t.Errorf("PUT of a whole resource: %d %s", a.status, a.raw)
	}
}
