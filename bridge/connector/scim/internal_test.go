package scim

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// What is written of a predicate is read as the same.
func TestAFilterMeansTheSameThere(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ filter, want string }{
		{`userName eq "ann@example.com"`, ""},
		{`userName eq "\"a\\b\" <&> \u0007\u000a\u2028 é"`, ""},
		{`userName eq "DOMAIN\\ann"`, `userName eq "DOMAIN\\ann"`},
		{`emails[type eq "work" and value co "@example.com"]`, ""},
		{`emails[value eq "x"]`, `emails.value eq "x"`},
		{`emails eq "x"`, `emails.value eq "x"`},
		{`id eq "1" and members[value eq "2"]`, `id eq "1" and members.value eq "2"`},
		{`name.familyName sw "O'" or not (active eq true)`, `name.familyName sw "O'" or not (active eq true)`},
		{`(userName eq "a" or userName eq "b") and title pr`, `(userName eq "a" or userName eq "b") and title pr`},
		{`userName eq "a" and (title pr and nickName pr)`, ""},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "7"`,
			`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "7"`},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "R&D"`, ""},
		{`meta.lastModified gt "2026-01-31T08:00:00.5Z"`, ""},
		{`urn:acme:User:level ge 7.5`, ""},
		{`emails ne "x"`, ""},
	} {
		kind := schema.User
		if strings.Contains(row.filter, "members") {
			kind = schema.Group
		}
		want := compiled(t, row.filter, kind)
		text := filterText(want)
		if row.want != "" && text != row.want {
			t.Errorf("%s is written %s", row.filter, text)
		}
		if got := compiled(t, text, kind); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is written %s:\n%+v\n%+v", row.filter, text, want, got)
		}
	}
}

func compiled(t *testing.T, text string, kind *schema.Resource) bridge.Predicate {
	t.Helper()
	e, err := filter.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	p, err := filter.Compile(e, kind)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func TestEntityTagsAreStrongHere(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ sent, tag, own string }{
		{`"1"`, `"1"`, `"1"`},
		{`W/"1"`, `W/"1"`, `"W/1"`},
		{`3694e05e9dff594`, `"3694e05e9dff594"`, `"3694e05e9dff594"`},
		{`W/3`, `W/"3"`, `"W/3"`},
		{` "a b" `, "", ""},
		{`"a,b"`, "", ""},
		{`"W/1"`, "", ""}, // it would be read as another one
		{`""`, "", ""},
		{"", "", ""},
	} {
		tag := readTag(row.sent)
		if tag != row.tag || toOwnTag(tag) != row.own || fromOwnTag(row.own) != row.tag {
			t.Errorf("%s is %s, here %s, and again %s", row.sent, tag, toOwnTag(tag), fromOwnTag(row.own))
		}
	}
}

func TestTimeForMembersIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for members, want := range map[int]time.Duration{
			0: 25 * time.Second, 5_000: 125 * time.Second, 100_000: 4 * time.Minute,
		} {
			ctx, cancel := bounded(t.Context(), members)
			if deadline, _ := ctx.Deadline(); time.Until(deadline) != want {
				t.Errorf("%d members have %s", members, time.Until(deadline))
			}
			cancel()
		}
	})
}

func TestWhatIsKeptIsKept(t *testing.T) {
	t.Parallel()
	list := func(values ...any) []any { return values }
	object := func(pairs ...any) map[string]any {
		o := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			o[pairs[i].(string)] = pairs[i+1]
		}
		return o
	}
	for name, row := range map[string]struct {
		sent, got any
		kept      bool
	}{
		"the same":                   {"a", "a", true},
		"another case":               {"Ann", "ann", true},
		"another text":               {"Ann", "Anna", false},
		"nothing":                    {"Ann", nil, false},
		"more than was sent":         {object("givenName", "A"), object("givenName", "A", "formatted", "A"), true},
		"less":                       {object("givenName", "A", "familyName", "B"), object("givenName", "A"), false},
		"false for nothing":          {object("value", "a", "primary", false), object("value", "a"), true},
		"false for true":             {true, false, false},
		"a list in another order":    {list("a", "b"), list("b", "a"), true},
		"a list that lacks one":      {list("a", "b"), list("a"), false},
		"one value for a list of it": {list("a"), "a", false},
	} {
		if keeps(row.got, row.sent) != row.kept {
			t.Errorf("%s: kept is %t", name, !row.kept)
		}
	}
}

// It is not parallel: other tests' memory would be counted.
func TestAnIndexTakesLittleMemory(t *testing.T) {
	const people = 10_000
	before := heap()
	x := newIndex(people)
	for i := range people {
		name := fmt.Sprintf("p%d@example.com", i)
		x.put(fmt.Sprintf("%032d", i), []key{newKey("userName", name), newKey("externalId", "e"+name),
			newKey("emails", name)})
	}
	used := heap() - before
	t.Logf("%d bytes for each of %d people", used/people, people)
	if used > 8<<20 {
		t.Errorf("%d people take %d KiB", people, used>>10)
	}
	if ids := x.get(newKey("emails", " P7@Example.com")); !slices.Equal(ids, []string{fmt.Sprintf("%032d", 7)}) {
		t.Errorf("found %v", ids)
	}
	x.put("another", nil)
	if began, _ := x.since(); len(x.byID) > 1 || !began.IsZero() {
		t.Errorf("it has %d of at most %d people", len(x.byID), people)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A request whose time is over was kept by answers that did not come, unless it ended while others had all slots.
func TestWhatKeptARequestUntilItsTimeWasOver(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		left  time.Duration // when it comes for its slot
		taken int           // of one slot
		want  Cause
	}{
		"it is over, and a slot is free": {0, 0, Unreachable},
		"it is over, and none is":        {0, 1, Unreachable},
		"it ends while others have all":  {10 * time.Millisecond, 1, RateLimited},
	} {
		for range 50 { // a select takes either case if both are ready
			ctx, cancel := context.WithTimeout(t.Context(), row.left)
			l := &limits{slots: make(chan struct{}, 1), rate: rate.NewLimiter(rate.Inf, 1)}
			for range row.taken {
				l.slots <- struct{}{}
			}
			if _, err := l.acquire(ctx); CauseOf(err) != row.want {
				t.Errorf("%s: %v, want %s", name, err, row.want)
			}
			cancel()
		}
	}
}
