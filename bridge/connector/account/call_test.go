package account

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
)

// What stands in front of an account may answer with problem documents of its
// own, of any size and with anything in them.
func TestAForeignProblemDocumentIsBoundedAndClean(t *testing.T) {
	t.Parallel()
	long := "\x1b[2J\u202e" + strings.Repeat("x", 100_000)
	many := make([]string, 1000)
	for i := range many {
		many[i] = long
	}
	for _, row := range []struct {
		name     string
		status   int
		document map[string]any
		strange  bool
	}{
		{"a code that is none", 403, map[string]any{"code": long, "title": long, "detail": long}, true},
		{"a code in capitals", 403, map[string]any{"code": "WAF-17", "detail": long}, true},
		{"a code that is too long", 409, map[string]any{"code": strings.Repeat("a", 65)}, true},
		{"no code", 401, map[string]any{"title": long}, true},
		{"a code as the account has them", 422, map[string]any{"code": "invalid_value", "title": long, "detail": long,
			"request_id": long}, false},
		{"an unknown code", 500, map[string]any{"code": strings.Repeat("a", 64), "detail": long, "request_id": long},
			false},
		{"a firewall's facts", 403, map[string]any{"code": api.ErrorCodeFirewallBlocked, "details": map[string]any{
			"address": long, "rule_id": long, "country": long, "continent": long,
			"database": long, "anonymous_ips": many[:1],
			"rule": map[string]any{
				"priority": 1, "description": long, "kind": long, "values": []string{"\x1b192.0.2.1", "x"},
			}}},
			false},
		{"a rule of very many values", 403,
			map[string]any{"code": api.ErrorCodeFirewallBlocked, "details": map[string]any{
				"rule": map[string]any{"priority": 1, "description": "d", "kind": "ip_ranges", "values": many[:2]}}},
			false},
		{"unknown members", 422, map[string]any{"code": "members_unknown", "detail": long, "details": map[string]any{
			"ids": many[:1],
		}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(row.document)
			if err != nil {
				t.Fatal(err)
			}
			no := answerOf(row.status, string(text))
			if (no.Foreign != "") != row.strange || row.strange && sessionEnded(no) {
				t.Fatalf("got %+v", no)
			}
			told := []string{no.Error(), toDirectoryError(no).Error()}
			if e, ok := errors.AsType[*bridge.Error](toDirectoryError(no)); ok {
				told = append(told, e.Detail)
				told = append(told, e.IDs...)
			}
			code, facts := diagnose(no)
			for _, fact := range facts {
				told = append(told, fact)
			}
			for _, field := range logFields(code, facts, 1) {
				if text, ok := field.(string); ok {
					told = append(told, text)
				}
			}
			for _, text := range told {
				if len(text) > 2000 || strings.ContainsAny(text, "\x1b\u202e") {
					t.Errorf("%d bytes are told: %.80q", len(text), text)
				}
			}
		})
	}
}

func TestAForeignListOfBlockedCallersIsBoundedAndClean(t *testing.T) {
	t.Parallel()
	long := "\x1b[2J\u202e" + strings.Repeat("x", 100_000)
	who := make([]api.ProblemDetails, 1000)
	for i := range who {
		who[i] = api.ProblemDetails{Who: new("bridge"), Instance: &long, Address: &long}
		if i%2 == 1 {
			who[i] = api.ProblemDetails{Who: &long, Name: &long, Address: &long}
		}
	}
	answer := api.HeartbeatAnswer{WouldBlock: &who, Database: &long}
	for fact, text := range ToFirewallDisabled(answer, nil, time.Now()).Facts {
		if len(text) > 20_000 || strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%s: %d bytes are told: %.80q", fact, len(text), text)
		}
	}
}

// answerOf is the error that an account's answer becomes.
func answerOf(status int, document string) *client.Error {
	_, err := client.Call[client.Nothing](&http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/problem+json"}},
		Body: io.NopCloser(strings.NewReader(document)),
	}, nil)
	e, _ := errors.AsType[*client.Error](err)
	return e
}
