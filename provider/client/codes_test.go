package client

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// accountSays stands for a refusal whose own text says all that there is to do.
const accountSays = ""

// What to do after each code of the account API, beside what the account says.
var remedies = map[api.ErrorCode]struct {
	status int
	remedy string
}{
	api.ErrorCodeAddressTaken:         {409, accountSays},
	api.ErrorCodeAlreadyActive:        {409, accountSays},
	api.ErrorCodeAlreadyExists:        {409, accountSays},
	api.ErrorCodeCredentialsChanged:   {401, "Check account_token"},
	api.ErrorCodeCredentialsExpired:   {401, "Check account_token"},
	api.ErrorCodeDatabaseUnavailable:  {503, "Its log has the reason"},
	api.ErrorCodeEpochMoved:           {409, "Run terraform apply again"},
	api.ErrorCodeFirewallBlocked:      {403, "account firewall disable"},
	api.ErrorCodeFirewallRuleExists:   {409, accountSays},
	api.ErrorCodeGroupNameTaken:       {409, accountSays},
	api.ErrorCodeIdempotencyKeyReused: {422, accountSays},
	api.ErrorCodeInternal:             {500, "Its log has the reason"},
	api.ErrorCodeInvalidCursor:        {422, accountSays},
	api.ErrorCodeInvalidFilter:        {422, accountSays},
	api.ErrorCodeInvalidValue:         {422, accountSays},
	api.ErrorCodeIpDatabaseRequired:   {422, accountSays},
	api.ErrorCodeLastAdminToken:       {409, accountSays},
	api.ErrorCodeMalformedRequest:     {400, accountSays},
	api.ErrorCodeMembersUnknown:       {422, accountSays},
	api.ErrorCodeMethodNotAllowed:     {405, accountSays},
	api.ErrorCodeNotAccepted:          {409, accountSays},
	api.ErrorCodeNotFound:             {404, accountSays},
	api.ErrorCodeProtected:            {409, accountSays},
	api.ErrorCodeProvisioningInactive: {403, accountSays},
	api.ErrorCodeScopeInsufficient:    {403, accountSays},
	api.ErrorCodeSecretNotKept:        {409, accountSays},
	api.ErrorCodeSessionEnded:         {401, "Check account_token"},
	api.ErrorCodeSignInFailed:         {401, "Check account_token"},
	api.ErrorCodeStorageFull:          {503, "Correct this on the account's machine"},
	api.ErrorCodeStorageLost:          {503, "Correct this on the account's machine"},
	api.ErrorCodeSuspended:            {403, accountSays},
	api.ErrorCodeTokenExpired:         {401, "Check account_token"},
	api.ErrorCodeTokenMissing:         {401, "Check account_token"},
	api.ErrorCodeTokenRejected:        {401, "Check account_token"},
	api.ErrorCodeTooLarge:             {413, accountSays},
	api.ErrorCodeTooManyRequests:      {429, accountSays},
	api.ErrorCodeTwoFactorEnforced:    {403, accountSays},
	api.ErrorCodeUserNameTaken:        {409, accountSays},
	api.ErrorCodeVersionMismatch:      {412, "Run terraform apply again"},
	api.ErrorCodeWouldLockOut:         {409, "allow_lockout = true"},

	"of_a_later_version": {409, `does not know the code "of_a_later_version"`},
	"of_a_later_fault":   {500, `does not know the code "of_a_later_fault"`},
}

func TestEveryCodeOfTheAccountHasADiagnostic(t *testing.T) {
	t.Parallel()
	for _, code := range append(apitest.ErrorCodes(t), "of_a_later_version", "of_a_later_fault") {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			want, ok := remedies[code]
			if !ok {
				t.Fatal("no row says what to do about it")
			}
			detail, request := "because of this", "req_1"
			c := faulty(t, func(w http.ResponseWriter, _ *http.Request) {
				answer(w, want.status, api.Problem{Status: want.status, Code: code, Title: "No", Detail: &detail,
					RequestId: &request})
			})
			_, err := Call[api.Caller](c.API.WhoAmI(t.Context()))
			if Code(err) != code {
				t.Fatalf("error %v, want the account's %s", err, code)
			}
			d := c.Diagnose("ask", err)
			said := fmt.Sprintf("he account answered %d %s: because of this (request id req_1).", want.status, code)
			_, after, found := strings.Cut(d.Detail(), said)
			if d.Summary() != "Cannot ask" || !found {
				t.Errorf("%s: %q, want in it %q", d.Summary(), d.Detail(), said)
			}
			if !strings.Contains(after, want.remedy) || want.remedy == accountSays && strings.TrimSpace(after) != "" {
				t.Errorf("the remedy is %q, want %q", after, want.remedy)
			}
			// An account that answers is there, and its address is right.
			if strings.Contains(d.Detail(), "account_url") {
				t.Errorf("it reads as an account that is away: %s", d.Detail())
			}
		})
	}
}
