package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func userName(n int) string   { return fmt.Sprintf("person%d@example.com", n) }
func externalID(n int) string { return fmt.Sprintf("4c1a7e3c-9f0b-4d52-8a6e-%012d", n) }

// user is person n as identity providers with an enterprise directory send it.
func user(n int) []byte {
	type object = map[string]any
	type list = []any
	text, err := json.Marshal(object{
		"schemas": list{
			"urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
		},
		"userName": userName(n), "externalId": externalID(n), "active": true,
		"displayName": fmt.Sprintf("Ingrid Lindström %d", n), "title": "Senior Analyst", "preferredLanguage": "en-GB",
		"name": object{
			"givenName": "Ingrid", "familyName": "Lindström", "formatted": fmt.Sprintf("Ingrid Lindström %d", n),
		},
		"emails": list{
			object{"value": userName(n), "type": "work", "primary": true},
			object{"value": fmt.Sprintf("ingrid%d@home.example", n), "type": "home"},
		},
		"phoneNumbers": list{object{"value": "+44 20 7946 0123", "type": "work"}},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": object{
			"employeeNumber": fmt.Sprint(100000 + n), "department": "Engineering", "costCenter": "4711",
			"organization": "Example Ltd",
		},
	})
	if err != nil {
		panic(err) // texts always have a JSON form
	}
	return text
}

// unlimited is a limit on suspensions that is never reached.
const unlimited = "max(1000000000, 0%)/1h"

// loaders fill the account at once, sharing its commits.
const loaders = 128

// load puts people and two groups into the account, by its rules but past its
// servers: what a POST costs is measured later.
func (s *site) load(ctx context.Context) error {
	rows, err := store.Open(ctx, "sqlite:"+s.database())
	if err != nil {
		return err
	}
	defer rows.Close()
	a, err := account.Load(ctx, rows)
	if err != nil {
		return err
	}
	if err := s.loadInto(ctx, directory.New(a)); err != nil {
		return err
	}
	// What the phases take away is counted, and not held, which is the exception.
	limit := unlimited
	_, err = a.UpdateProvisioning(ctx, nil, &limit, "")
	return err
}

func (s *site) loadInto(ctx context.Context, people *directory.Directory) (err error) {
	s.ids = make([]string, s.people)
	errs := make([]error, loaders)
	var parts sync.WaitGroup
	for l := range loaders {
		parts.Go(func() {
			for n := l; n < s.people && errs[l] == nil && ctx.Err() == nil; n += loaders {
				p, err := people.CreatePerson(ctx,
					directory.PersonInput{Attributes: user(n), SignInAddress: userName(n)})
				s.ids[n], errs[l] = p.ID, err
			}
		})
	}
	parts.Wait()
	if err := errors.Join(ctx.Err(), errors.Join(errs...)); err != nil {
		return err
	}
	if s.group, err = group(ctx, people, "Everybody", s.ids); err != nil {
		return err
	}
	s.few, err = group(ctx, people, "A few", s.ids[:few])
	return err
}

// loadByRequests does the same by way of the servers, as identity providers do: how an older program, or
// another server, keeps people is its own.
func (s *site) loadByRequests(ctx context.Context) error {
	s.ids = make([]string, s.people)
	var creations errgroup.Group
	creations.SetLimit(loaders)
	for n := range s.people {
		creations.Go(func() (err error) {
			s.ids[n], err = s.create(ctx, "/Users", user(n))
			return err
		})
	}
	if err := creations.Wait(); err != nil {
		return err
	}
	if s.program.isOld {
		if _, err := s.ask(ctx, http.MethodPatch, s.account+"/v1/provisioning", s.admin, "application/json",
			encode(map[string]any{"suspension_limit": unlimited})); err != nil {
			fmt.Fprintln(os.Stderr, "the older program keeps its limit on suspensions, if it has one:", err)
		}
	}
	for _, g := range []struct {
		id      *string
		name    string
		members []string
	}{{&s.group, "Everybody", s.ids}, {&s.few, "A few", s.ids[:few]}} {
		var err error
		if *g.id, err = s.create(ctx, "/Groups", encode(map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.name,
		})); err != nil {
			return err
		}
		for part := range slices.Chunk(g.members, 1000) {
			members := make([]operation, len(part))
			for i, id := range part {
				members[i] = operation{"value": id}
			}
			if _, err := s.ask(ctx, http.MethodPatch, s.scim("/Groups/"+*g.id), s.bearer, scimType,
				patch(operation{"op": "add", "path": "members", "value": members})); err != nil {
				return err
			}
		}
	}
	return nil
}

const scimType = "application/scim+json"

// create returns the id of a resource that it creates.
func (s *site) create(ctx context.Context, path string, body []byte) (string, error) {
	text, err := s.ask(ctx, http.MethodPost, s.scim(path), s.bearer, scimType, body)
	if err != nil {
		return "", err
	}
	var made struct{ ID string }
	return made.ID, json.Unmarshal(text, &made)
}

func group(ctx context.Context, d *directory.Directory, name string, members []string) (string, error) {
	text, err := json.Marshal(map[string]any{"displayName": name})
	if err != nil {
		return "", err
	}
	g, err := d.CreateGroup(ctx, directory.GroupInput{Attributes: text})
	if err != nil {
		return "", err
	}
	_, err = d.UpdateGroup(ctx, g.ID, directory.GroupUpdate{Add: members}, "", false)
	return g.ID, err
}
