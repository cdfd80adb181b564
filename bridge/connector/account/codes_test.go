package account

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// unavailableCode stands for an answer after which the identity provider is
// told to come back later.
const unavailableCode bridge.Code = ""

// What each code of the account API becomes: for the identity provider that
// asked, and for the operator who reads why the bridge is not let in.
var codesTold = map[api.ErrorCode]struct {
	status    int
	directory bridge.Code
	problem   problem.Code
}{
	api.ErrorCodeAddressTaken:         {409, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeAlreadyActive:        {409, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeAlreadyExists:        {409, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeCredentialsChanged:   {401, unavailableCode, problem.CredentialsChanged},
	api.ErrorCodeCredentialsExpired:   {401, unavailableCode, problem.CredentialsChanged},
	api.ErrorCodeDatabaseUnavailable:  {503, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeEpochMoved:           {409, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeFirewallBlocked:      {403, unavailableCode, problem.FirewallBlocked},
	api.ErrorCodeFirewallRuleExists:   {409, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeGroupNameTaken:       {409, bridge.GroupNameTaken, problem.AccountUnreachable},
	api.ErrorCodeIdempotencyKeyReused: {422, bridge.InvalidValue, problem.AccountUnreachable},
	api.ErrorCodeInternal:             {500, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeInvalidCursor:        {422, bridge.InvalidCursor, problem.AccountUnreachable},
	api.ErrorCodeInvalidFilter:        {422, bridge.InvalidFilter, problem.AccountUnreachable},
	api.ErrorCodeInvalidValue:         {422, bridge.InvalidValue, problem.AccountUnreachable},
	api.ErrorCodeIpDatabaseRequired:   {503, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeLastAdminToken:       {409, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeMalformedRequest:     {400, bridge.InvalidValue, problem.AccountUnreachable},
	api.ErrorCodeMembersUnknown:       {422, bridge.MembersUnknown, problem.AccountUnreachable},
	api.ErrorCodeMethodNotAllowed:     {405, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeNotAccepted:          {409, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeNotFound:             {404, bridge.NotFound, problem.AccountUnreachable},
	api.ErrorCodeProtected:            {409, bridge.Protected, problem.AccountUnreachable},
	api.ErrorCodeProvisioningInactive: {403, unavailableCode, problem.ProvisioningInactive},
	api.ErrorCodeScopeInsufficient:    {403, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeSecretNotKept:        {409, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeSessionEnded:         {401, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeSignInFailed:         {401, unavailableCode, problem.CredentialsChanged},
	api.ErrorCodeStorageFull:          {503, unavailableCode, problem.StorageFull},
	api.ErrorCodeStorageLost:          {503, unavailableCode, problem.StorageLost},
	api.ErrorCodeSuspended:            {403, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeTokenExpired:         {401, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeTokenMissing:         {401, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeTokenRejected:        {401, unavailableCode, problem.AccountUnreachable},
	api.ErrorCodeTooLarge:             {413, bridge.TooLarge, problem.AccountUnreachable},
	api.ErrorCodeTooManyRequests:      {429, bridge.TooMany, problem.AccountUnreachable},
	api.ErrorCodeTwoFactorEnforced:    {403, unavailableCode, problem.TwoFactorEnforced},
	api.ErrorCodeUserNameTaken:        {409, bridge.UserNameTaken, problem.AccountUnreachable},
	api.ErrorCodeVersionMismatch:      {412, bridge.VersionMismatch, problem.AccountUnreachable},
	api.ErrorCodeWouldLockOut:         {409, unavailableCode, problem.AccountUnreachable},

	"of_a_later_version": {409, unavailableCode, problem.AccountUnreachable},
}

func TestEveryCodeOfTheAccountIsTold(t *testing.T) {
	t.Parallel()
	for _, code := range append(apitest.ErrorCodes(t), "of_a_later_version") {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			want, ok := codesTold[code]
			if !ok {
				t.Fatal("no row says what becomes of it")
			}
			err := answerOf(want.status,
				fmt.Sprintf(`{"code":%q,"title":"No","detail":"because of this","request_id":"req_1"}`,
					code))

			if e, refused := errors.AsType[*bridge.Error](toDirectoryError(err)); refused {
				if e.Code != want.directory || e.Detail != "because of this" {
					t.Errorf("the identity provider is told %s (%s), want %s", e.Code, e.Detail, want.directory)
				}
			} else if !errors.Is(toDirectoryError(err), bridge.ErrUnavailable) || want.directory != unavailableCode {
				t.Errorf("the identity provider is told %v, want %s", toDirectoryError(err), want.directory)
			}

			found, facts := diagnose(err)
			if found != want.problem {
				t.Errorf("the problem is %s, want %s", found, want.problem)
			}
			// An account that answers can be reached, whatever it says.
			p := problem.New(found, time.Time{}, facts)
			if strings.Contains(p.Title, "cannot be reached") || strings.Contains(p.Cause, "No answer") {
				t.Errorf("it reads as an account that is away: %s. %s", p.Title, p.Cause)
			}
			if found == problem.AccountUnreachable &&
				!strings.Contains(p.Cause,
					fmt.Sprintf("answered %d %s: because of this (request id req_1)", want.status, code)) {
				t.Errorf("the cause names not what it answered: %s", p.Cause)
			}
		})
	}
}
