package scim_test

import (
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
	"github.com/scim2/filter-parser/v2"

	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// A server that somebody writes with github.com/elimity-com/scim: the library reads requests, validates them by the
// schemas and takes filters apart, and what is below keeps people and groups in memory. It drops attributes that no
// schema knows, and panics at filters of a multi-valued attribute without a sub-attribute.
func TestTheFrontBeforeAServerOfALibrary(t *testing.T) {
	t.Parallel()
	other := elimityServer(t)
	direct := playProviders(t, &simulate.Player{URL: other.URL + "/v2", Client: other.Client(),
		Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+farToken) }})
	far := elimityServer(t)
	d, err := connector.New(connector.Config{URL: far.URL + "/v2", Transport: newTransport(t), Rate: 100_000,
		Token: func() secret.String { return secret.New(farToken) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	player := serve(t, d)
	var wrong int
	for idp, report := range playProviders(t, player) {
		before, now := direct[idp].Document().Counts, report.Document().Counts
		t.Logf("%s: %d of %d steps are wrong directly, %d of %d through the front", idp, before.Wrong, before.Steps,
			now.Wrong, now.Steps)
		wrong += before.Wrong
		if !report.OK() {
			var table strings.Builder
			_ = report.Document().WriteTables(&table, true)
			t.Errorf("%s:\n%s", idp, table.String())
		}
	}
	if wrong == 0 {
		t.Error("the server is right by itself: this proves nothing of the front")
	}
	outcomes := playScenarios(t, player)
	kept := d.State().NotKept
	for _, o := range outcomes {
		t.Logf("wrong: %s %s %s: %s", o.Phase, o.Step, o.Request, o.Problem)
		if !isNotKept(kept, o) {
			t.Errorf("nothing is told of it; it is told of %v", kept)
		}
	}
}

func elimityServer(t *testing.T) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	groups := &elimityResources{mu: &mu, unique: "displayName"}
	people := &elimityResources{mu: &mu, unique: "userName", groups: groups}
	server, err := scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{SupportFiltering: true, SupportPatch: true, MaxResults: 200},
		ResourceTypes: []scim.ResourceType{
			{
				ID: optional.NewString("User"), Name: "User", Endpoint: "/Users", Handler: people,
				Schema:           schema.CoreUserSchema(),
				SchemaExtensions: []scim.SchemaExtension{{Schema: schema.ExtensionEnterpriseUser()}},
			},
			{
				ID: optional.NewString("Group"), Name: "Group", Endpoint: "/Groups", Handler: groups,
				Schema: schema.CoreGroupSchema(),
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	far := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+farToken {
			refuse(w, http.StatusUnauthorized, "", "no")
			return
		}
		server.ServeHTTP(w, r)
	}))
	far.Config.ErrorLog = log.New(io.Discard, "", 0) // of the panics
	far.Start()
	t.Cleanup(far.Close)
	return far
}

// elimityResources keeps one kind of resources.
type elimityResources struct {
	mu     *sync.Mutex
	unique string
	groups *elimityResources // that people are in; nil for groups
	next   int
	all    []*elimityResource // in the order of their creation
}

type elimityResource struct {
	id                string
	attributes        scim.ResourceAttributes
	created, modified time.Time
	revision          int
}

// shown is a copy: the library writes into what it is given, and reads it without the lock.
func (e *elimityResources) shown(r *elimityResource) scim.Resource {
	attributes := maps.Clone(r.attributes)
	if e.groups != nil {
		var in []any
		for _, g := range e.groups.all {
			if slices.ContainsFunc(membersOf(g.attributes), func(m any) bool { return valueOf(m) == r.id }) {
				in = append(in, map[string]any{"value": g.id, "display": g.attributes["displayName"]})
			}
		}
		attributes["groups"] = in
	}
	created, modified := r.created, r.modified
	return scim.Resource{ID: r.id, Attributes: attributes, Meta: scim.Meta{
		Created: &created, LastModified: &modified, Version: "v" + strconv.Itoa(r.revision),
	}}
}

func (e *elimityResources) find(id string) (int, error) {
	i := slices.IndexFunc(e.all, func(r *elimityResource) bool { return r.id == id })
	if i < 0 {
		return i, errors.ScimErrorResourceNotFound(id)
	}
	return i, nil
}

func (e *elimityResources) isTaken(attributes scim.ResourceAttributes, but string) bool {
	return slices.ContainsFunc(e.all, func(r *elimityResource) bool {
		return r.id != but && inputtext.Fold(fmt.Sprint(r.attributes[e.unique])) ==
			inputtext.Fold(fmt.Sprint(attributes[e.unique]))
	})
}

// write must be called with the lock held.
func (e *elimityResources) write(r *elimityResource, attributes scim.ResourceAttributes) (scim.Resource, error) {
	if e.isTaken(attributes, r.id) {
		return scim.Resource{}, errors.ScimErrorUniqueness
	}
	r.attributes, r.modified = attributes, time.Now()
	r.revision++
	return e.shown(r), nil
}

func (e *elimityResources) Create(_ *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	r := &elimityResource{id: fmt.Sprintf("%s-%d", e.unique, e.next), created: time.Now()}
	shown, err := e.write(r, attributes)
	if err == nil {
		e.all = append(e.all, r)
	}
	return shown, err
}

func (e *elimityResources) Get(_ *http.Request, id string) (scim.Resource, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	return e.shown(e.all[i]), nil
}

func (e *elimityResources) GetAll(_ *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	page := scim.Page{Resources: []scim.Resource{}}
	for _, r := range e.all {
		shown := e.shown(r)
		on := maps.Clone(shown.Attributes)
		on["id"] = r.id
		if params.FilterValidator != nil && params.FilterValidator.PassesFilter(on) != nil {
			continue
		}
		page.TotalResults++
		if page.TotalResults >= params.StartIndex && len(page.Resources) < params.Count {
			page.Resources = append(page.Resources, shown)
		}
	}
	return page, nil
}

func (e *elimityResources) Replace(_ *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource,
	error,
) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	return e.write(e.all[i], attributes)
}

func (e *elimityResources) Delete(_ *http.Request, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(id)
	if err != nil {
		return err
	}
	e.all = slices.Delete(e.all, i, i+1)
	if e.groups != nil {
		for _, g := range e.groups.all {
			g.attributes["members"] = slices.DeleteFunc(slices.Clone(membersOf(g.attributes)),
				func(m any) bool { return valueOf(m) == id })
		}
	}
	return nil
}

func (e *elimityResources) Patch(_ *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(id)
	if err != nil {
		return scim.Resource{}, err
	}
	attributes := maps.Clone(e.all[i].attributes)
	for _, o := range operations {
		if err := patchElimity(attributes, o); err != nil {
			return scim.Resource{}, err
		}
	}
	return e.write(e.all[i], attributes)
}

// patchElimity changes attributes, whose values it does not: others may have them.
func patchElimity(attributes map[string]any, o scim.PatchOperation) error {
	if o.Path == nil {
		values, _ := o.Value.(map[string]any)
		for name, value := range values {
			if inside, ok := value.(map[string]any); ok && attributes[name] != nil {
				before, _ := attributes[name].(map[string]any)
				into := maps.Clone(before)
				maps.Copy(into, inside)
				value = into
			}
			attributes[name] = value
		}
		return nil
	}
	at := o.Path.AttributePath
	if uri := at.URI(); uri != "" && !strings.HasPrefix(uri, "urn:ietf:params:scim:schemas:core:") {
		before, _ := attributes[uri].(map[string]any)
		extension := maps.Clone(before)
		if extension == nil {
			extension = make(map[string]any)
		}
		attributes[uri] = extension
		attributes = extension
	}
	name := at.AttributeName
	sub := at.SubAttributeName()
	if o.Path.SubAttribute != nil {
		sub = *o.Path.SubAttribute
	}
	before := attributes[name]
	switch {
	case o.Path.ValueExpression != nil:
		list, _ := before.([]any)
		changed, found := patchElements(list, o.Path.ValueExpression, sub, o)
		if !found && o.Op == scim.PatchOperationReplace {
			return errors.ScimErrorNoTarget
		}
		attributes[name] = changed
	case sub != "":
		object, _ := before.(map[string]any)
		changed := maps.Clone(object)
		if changed == nil {
			changed = make(map[string]any)
		}
		setOrDelete(changed, sub, o)
		attributes[name] = changed
	default:
		list, isList := before.([]any)
		added, addsList := o.Value.([]any)
		if o.Op == scim.PatchOperationAdd && isList && addsList {
			list = slices.Clone(list)
			for _, element := range added {
				if !slices.ContainsFunc(list, func(have any) bool { return reflect.DeepEqual(have, element) }) {
					list = append(list, element)
				}
			}
			attributes[name] = list
			return nil
		}
		setOrDelete(attributes, name, o)
	}
	return nil
}

func setOrDelete(object map[string]any, name string, o scim.PatchOperation) {
	if o.Op == scim.PatchOperationRemove {
		delete(object, name)
		return
	}
	object[name] = o.Value
}

// patchElements changes the elements of a list for which an expression holds.
func patchElements(list []any, e filter.Expression, sub string, o scim.PatchOperation) (changed []any, found bool) {
	for _, element := range list {
		object, _ := element.(map[string]any)
		compared, _ := e.(*filter.AttributeExpression)
		if compared == nil || compared.Operator != filter.EQ ||
			fmt.Sprint(object[compared.AttributePath.AttributeName]) != fmt.Sprint(compared.CompareValue) {
			changed = append(changed, element)
			continue
		}
		found = true
		switch {
		case sub != "":
			object = maps.Clone(object)
			setOrDelete(object, sub, o)
			changed = append(changed, object)
		case o.Op != scim.PatchOperationRemove:
			changed = append(changed, o.Value)
		}
	}
	return changed, found
}
