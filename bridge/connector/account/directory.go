package account

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
)

// CreatePerson implements bridge.Directory.
func (c *Connector) CreatePerson(ctx context.Context, in bridge.PersonInput) (bridge.Person, error) {
	key, err := c.idempotencyKey()
	if err != nil {
		return bridge.Person{}, err
	}
	p, _, err := call[person](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.CreatePerson(ctx, &api.CreatePersonParams{IdempotencyKey: &key}, toPersonInput(in), auth)
		}})
	return p.public(), err
}

// Person implements bridge.Directory.
func (c *Connector) Person(ctx context.Context, id string) (bridge.Person, error) {
	p, _, err := call[person](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.GetPerson(ctx, id, auth)
		}})
	return p.public(), err
}

// ReplacePerson implements bridge.Directory.
func (c *Connector) ReplacePerson(
	ctx context.Context, id string, in bridge.PersonInput, ifMatch string,
) (bridge.Person, error) {
	p, _, err := call[person](ctx, c, request{repeatable: ifMatch == "",
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.ReplacePerson(ctx, id, &api.ReplacePersonParams{IfMatch: optional(ifMatch)},
				toPersonInput(in), auth)
		}})
	return p.public(), err
}

// DeletePerson implements bridge.Directory.
func (c *Connector) DeletePerson(ctx context.Context, id, ifMatch string) error {
	_, lost, err := call[client.Nothing](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.DeletePerson(ctx, id, &api.DeletePersonParams{IfMatch: optional(ifMatch)}, auth)
		}})
	return deleted(lost, err)
}

// SearchPeople implements bridge.Directory.
func (c *Connector) SearchPeople(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	p, _, err := call[people](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.SearchPeople(ctx, toSearch(q), auth)
		}})
	return bridge.Page[bridge.Person](p), err
}

// CreateGroup implements bridge.Directory.
func (c *Connector) CreateGroup(ctx context.Context, in bridge.GroupInput) (bridge.Group, error) {
	key, err := c.idempotencyKey()
	if err != nil {
		return bridge.Group{}, err
	}
	body := api.GroupInput{Attributes: in.Attributes}
	if in.Members != nil {
		body.Members = &in.Members
	}
	g, _, err := call[group](ctx, c, request{repeatable: true, members: len(in.Members),
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.CreateProvisionedGroup(ctx,
				&api.CreateProvisionedGroupParams{IdempotencyKey: &key}, body, auth)
		}})
	return g.public(), err
}

// Group implements bridge.Directory.
func (c *Connector) Group(ctx context.Context, id string, withMembers bool) (bridge.Group, error) {
	g, _, err := call[group](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.GetGroup(ctx, id, &api.GetGroupParams{Members: &withMembers}, auth)
		}})
	return g.public(), err
}

// UpdateGroup implements bridge.Directory.
func (c *Connector) UpdateGroup(
	ctx context.Context, id string, change bridge.GroupChange, ifMatch string, withMembers bool,
) (bridge.Group, error) {
	body := api.GroupUpdate{ReplaceMembers: change.Replace}
	members := len(change.Add) + len(change.Remove)
	if change.Replace != nil {
		members += len(*change.Replace)
	}
	if change.Attributes != nil {
		body.Attributes = &change.Attributes
	}
	if len(change.Add) > 0 {
		body.AddMembers = &change.Add
	}
	if len(change.Remove) > 0 {
		body.RemoveMembers = &change.Remove
	}
	if len(change.Instead) > 0 {
		body.Replacements = &change.Instead
	}
	g, _, err := call[group](ctx, c, request{repeatable: ifMatch == "", members: members,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			params := &api.UpdateGroupParams{IfMatch: optional(ifMatch), Members: &withMembers}
			return account.UpdateGroup(ctx, id, params, body, auth)
		}})
	return g.public(), err
}

// DeleteGroup implements bridge.Directory.
func (c *Connector) DeleteGroup(ctx context.Context, id, ifMatch string) error {
	_, lost, err := call[client.Nothing](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.DeleteGroup(ctx, id, &api.DeleteGroupParams{IfMatch: optional(ifMatch)}, auth)
		}})
	return deleted(lost, err)
}

// SearchGroups implements bridge.Directory.
func (c *Connector) SearchGroups(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Group], error) {
	p, _, err := call[groups](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.SearchGroups(ctx, toSearch(q), auth)
		}})
	return bridge.Page[bridge.Group](p), err
}

// Attention implements bridge.WaitingRoom.
func (c *Connector) Attention(ctx context.Context) ([]bridge.Attention, error) {
	type list struct {
		Items []api.Attention `json:"items"`
	}
	l, _, err := call[list](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.ListAttention(ctx, auth)
		}})
	return each(l.Items, fromAttention), err
}

// ConfirmPerson implements bridge.WaitingRoom.
func (c *Connector) ConfirmPerson(ctx context.Context, id string) error {
	_, _, err := call[client.Nothing](ctx, c, request{repeatable: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.ConfirmPerson(ctx, id, auth)
		}})
	return err
}

// idempotencyKey makes a creation whose answer was lost harmless to repeat.
func (c *Connector) idempotencyKey() (string, error) {
	var key [18]byte
	if _, err := io.ReadFull(c.cfg.Random, key[:]); err != nil {
		return "", fmt.Errorf("making an idempotency key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(key[:]), nil
}

// deleted forgives that what we deleted is gone, if the answer to an earlier
// attempt was lost.
func deleted(lost bool, err error) error {
	if lost && bridge.CodeOf(err) == bridge.NotFound {
		return nil
	}
	return err
}
