package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestVisitorsAreTheClientsWithARightToken(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	visit := func(token, agent, from string) {
		f.get(t, "/Users", "Bearer "+token, "User-Agent", agent, "X-Forwarded-For", from)
		f.pass(time.Second)
	}
	visit("wrong", "A stranger", "192.0.2.1")
	visit("right", "Okta SCIM Client 1.0.0", "2001:db8::1")
	visit("right-old", "<b>Entra</b> ann@example.com\u202e", "192.0.2.8")
	visit("right", "Okta SCIM Client 1.0.0", "2001:db8::7")
	got := f.authenticator.Visitors()
	if len(got) != 2 {
		t.Fatalf("there are %d visitors: %+v", len(got), got)
	}
	if v := got[0]; v.Agent != "Okta SCIM Client 1.0.0" || v.Address.String() != "2001:db8::7" ||
		v.Token != "current" || v.Requests != 2 || !v.Last.Equal(v.First.Add(2*time.Second)) {
		t.Errorf("the last is %+v", v)
	}
	if v := got[1]; v.Token != "previous" || strings.Contains(v.Agent, "ann@") || strings.Contains(v.Agent, "\u202e") {
		t.Errorf("the other is %+v", v)
	}

	// A client that gives itself another name each time must not fill the memory.
	for i := range 100 {
		visit("right", fmt.Sprintf("client %d", i), "192.0.2.9")
	}
	if got := f.authenticator.Visitors(); len(got) > 20 || got[0].Agent != "client 99" {
		t.Errorf("%d visitors are kept, the first is %+v", len(got), got[0])
	}
}
