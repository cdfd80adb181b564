package server

import (
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// directory answers what is about people and groups.
type directory struct {
	account *account.Account
	api.StrictServerInterface
}
