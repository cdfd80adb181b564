package scim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

const (
	configURI       = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	schemaURI       = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	resourceTypeURI = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
)

var resources = []*schema.Resource{schema.User, schema.Group}

// meta is of what never changes.
type meta struct {
	ResourceType string `json:"resourceType"`
	Location     string `json:"location"`
}

func getServiceProviderConfig(x *exchange) error {
	if err := x.refuseFilter(); err != nil {
		return err
	}
	p, err := parametersOf(x.r)
	if err != nil {
		return err
	}
	type supported struct {
		Supported bool `json:"supported"`
	}
	config := map[string]any{
		"schemas": []string{configURI},
		"patch":   supported{true},
		"bulk": map[string]any{
			"supported": true, "maxOperations": maxBulkOperations, "maxPayloadSize": maxLargeBody,
		},
		"filter":         map[string]any{"supported": true, "maxResults": maxCount},
		"changePassword": supported{false},
		"sort":           supported{true},
		"etag":           supported{true},
		"authenticationSchemes": []map[string]any{{
			"type": "oauthbearertoken", "name": "Bearer token", "primary": true,
			"description": "The bearer token of the bridge in the Authorization header.",
			"specUri":     "https://www.rfc-editor.org/info/rfc6750",
		}},
		"meta": meta{ResourceType: "ServiceProviderConfig", Location: x.base + "/ServiceProviderConfig"},
	}
	// RFC 9865 section 4. Clients that were made before it refuse the whole
	// document for a key that they do not know, so it has to be asked for.
	if slices.ContainsFunc(p.attributes, func(name string) bool { return strings.EqualFold(name, "pagination") }) {
		config["pagination"] = map[string]any{
			"cursor": true, "index": true, "defaultPaginationMethod": "index",
			"defaultPageSize": defaultCount, "maxPageSize": maxCount,
		}
	}
	return x.answerDocument(config)
}

func getSchemas(x *exchange) error {
	var documents []document
	for _, r := range resources {
		for _, s := range append([]*schema.Schema{r.Core}, r.Extensions...) {
			documents = append(documents, document{name: s.ID, body: struct {
				Schemas []string `json:"schemas"`
				*schema.Schema
				Meta meta `json:"meta"`
			}{[]string{schemaURI}, s, meta{ResourceType: "Schema", Location: x.base + "/Schemas/" + s.ID}}})
		}
	}
	return x.answerDocuments("schema", documents)
}

func getResourceTypes(x *exchange) error {
	type extension struct {
		Schema   string `json:"schema"`
		Required bool   `json:"required"`
	}
	var documents []document
	for _, r := range resources {
		extensions := []extension{}
		for _, s := range r.Extensions {
			extensions = append(extensions, extension{Schema: s.ID})
		}
		documents = append(documents, document{name: r.Name, body: map[string]any{
			"schemas": []string{resourceTypeURI}, "id": r.Name, "name": r.Name,
			"description": r.Description, "endpoint": r.Endpoint, "schema": r.Core.ID,
			"schemaExtensions": extensions,
			"meta": meta{ResourceType: "ResourceType",
				Location: x.base + "/ResourceTypes/" + url.PathEscape(r.Name)},
		}})
	}
	return x.answerDocuments("resource type", documents)
}

// A document is one schema or resource type.
type document struct {
	name string
	body any
}

// answerDocuments sends them all, or the one that the path names.
func (x *exchange) answerDocuments(kind string, documents []document) error {
	if err := x.refuseFilter(); err != nil {
		return err
	}
	if x.id != "" {
		for _, d := range documents {
			if strings.EqualFold(d.name, x.id) {
				return x.answerDocument(d.body)
			}
		}
		return &refusal{Status: http.StatusNotFound, Detail: "there is no such " + kind}
	}
	bodies := make([]any, len(documents))
	for i, d := range documents {
		bodies[i] = d.body
	}
	return x.answerDocument(map[string]any{
		"schemas": []string{listURI}, "totalResults": len(bodies),
		"itemsPerPage": len(bodies), "startIndex": 1, "Resources": bodies,
	})
}

// refuseFilter: discovery cannot be filtered, and clients must not believe
// that it was (RFC 7644 section 4).
func (x *exchange) refuseFilter() error {
	p, err := parametersOf(x.r)
	if err == nil && p.filter != "" {
		err = &refusal{Status: http.StatusForbidden, Detail: "discovery endpoints cannot be filtered"}
	}
	return err
}

func (x *exchange) answerDocument(body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	writeBody(x.w, http.StatusOK, raw)
	return nil
}
