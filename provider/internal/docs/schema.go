package main

import (
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// What follows is the part of `terraform providers schema -json` that the
// documentation is made of.

type schemas struct {
	FormatVersion string                     `json:"format_version"`
	Schemas       map[string]*providerSchema `json:"provider_schemas"`
}

type providerSchema struct {
	Provider   *schema              `json:"provider"`
	Resources  map[string]*schema   `json:"resource_schemas"`
	Data       map[string]*schema   `json:"data_source_schemas"`
	Ephemeral  map[string]*schema   `json:"ephemeral_resource_schemas"`
	Lists      map[string]*schema   `json:"list_resource_schemas"`
	Actions    map[string]*action   `json:"action_schemas"`
	Functions  map[string]*function `json:"functions"`
	Identities map[string]*identity `json:"resource_identity_schemas"`
}

type schema struct {
	Version int64 `json:"version"`
	Block   block `json:"block"`
}

type block struct {
	Attributes  map[string]*attribute   `json:"attributes,omitempty"`
	Blocks      map[string]*nestedBlock `json:"block_types,omitempty"`
	Description string                  `json:"description,omitempty"`
	Kind        string                  `json:"description_kind,omitempty"`
}

type nestedBlock struct {
	Nesting string `json:"nesting_mode"`
	Block   block  `json:"block"`
	Min     int64  `json:"min_items,omitempty"`
	Max     int64  `json:"max_items,omitempty"`
}

type attribute struct {
	Type        tftypes.Type `json:"type,omitempty"`
	Nested      *nested      `json:"nested_type,omitempty"`
	Description string       `json:"description,omitempty"`
	Kind        string       `json:"description_kind,omitempty"`
	Deprecated  bool         `json:"deprecated,omitempty"`
	Required    bool         `json:"required,omitempty"`
	Optional    bool         `json:"optional,omitempty"`
	Computed    bool         `json:"computed,omitempty"`
	Sensitive   bool         `json:"sensitive,omitempty"`
	WriteOnly   bool         `json:"write_only,omitempty"`
}

type action struct {
	Block block `json:"block"`
}

type function struct {
	Summary     string       `json:"summary,omitempty"`
	Description string       `json:"description,omitempty"`
	Return      tftypes.Type `json:"return_type"`
	Parameters  []parameter  `json:"parameters,omitempty"`
}

type parameter struct {
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Type        tftypes.Type `json:"type"`
}

type nested struct {
	Attributes map[string]*attribute `json:"attributes"`
	Nesting    string                `json:"nesting_mode"`
}

type identity struct {
	Version    int64                         `json:"version"`
	Attributes map[string]*identityAttribute `json:"attributes"`
}

type identityAttribute struct {
	Type        tftypes.Type `json:"type"`
	Description string       `json:"description,omitempty"`
	Required    bool         `json:"required_for_import,omitempty"`
	Optional    bool         `json:"optional_for_import,omitempty"`
}

func schemasOf(all *tfprotov6.GetProviderSchemaResponse, identities *tfprotov6.GetResourceIdentitySchemasResponse,
) schemas {
	p := &providerSchema{
		Provider:   schemaOf(all.Provider),
		Resources:  make(map[string]*schema),
		Data:       make(map[string]*schema),
		Ephemeral:  make(map[string]*schema),
		Lists:      make(map[string]*schema),
		Actions:    make(map[string]*action),
		Functions:  make(map[string]*function),
		Identities: make(map[string]*identity),
	}
	for name, s := range all.ResourceSchemas {
		p.Resources[name] = schemaOf(s)
	}
	for name, s := range all.DataSourceSchemas {
		p.Data[name] = schemaOf(s)
	}
	for name, s := range all.EphemeralResourceSchemas {
		p.Ephemeral[name] = schemaOf(s)
	}
	for name, s := range all.ListResourceSchemas {
		p.Lists[name] = schemaOf(s)
	}
	for name, s := range all.ActionSchemas {
		p.Actions[name] = &action{Block: blockOf(s.Schema.Block)}
	}
	for name, f := range all.Functions {
		p.Functions[name] = functionOf(f)
	}
	for name, s := range identities.IdentitySchemas {
		i := &identity{Version: s.Version, Attributes: make(map[string]*identityAttribute)}
		for _, a := range s.IdentityAttributes {
			i.Attributes[a.Name] = &identityAttribute{Type: a.Type, Description: a.Description,
				Required: a.RequiredForImport,
				Optional: a.OptionalForImport}
		}
		p.Identities[name] = i
	}
	// tfplugindocs looks for the name alone, or for a provider of HashiCorp's.
	return schemas{FormatVersion: "1.0", Schemas: map[string]*providerSchema{"scimbridge": p}}
}

func schemaOf(s *tfprotov6.Schema) *schema {
	return &schema{Version: s.Version, Block: blockOf(s.Block)}
}

func blockOf(b *tfprotov6.SchemaBlock) block {
	to := block{Attributes: attributesOf(b.Attributes), Blocks: make(map[string]*nestedBlock),
		Description: b.Description,
		Kind:        kind(b.DescriptionKind)}
	for _, n := range b.BlockTypes {
		to.Blocks[n.TypeName] = &nestedBlock{Nesting: nestings[int(n.Nesting)],
			Block: blockOf(n.Block), Min: n.MinItems,
			Max: n.MaxItems}
	}
	return to
}

func functionOf(f *tfprotov6.Function) *function {
	to := &function{Summary: f.Summary, Description: f.Description, Return: f.Return.Type}
	for _, p := range f.Parameters {
		to.Parameters = append(to.Parameters, parameter{Name: p.Name, Description: p.Description, Type: p.Type})
	}
	return to
}

func attributesOf(all []*tfprotov6.SchemaAttribute) map[string]*attribute {
	to := make(map[string]*attribute, len(all))
	for _, a := range all {
		one := &attribute{
			Type: a.Type, Description: a.Description, Kind: kind(a.DescriptionKind), Deprecated: a.Deprecated,
			Required: a.Required, Optional: a.Optional, Computed: a.Computed,
			Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		}
		if a.NestedType != nil {
			one.Nested = &nested{
				Attributes: attributesOf(a.NestedType.Attributes), Nesting: nestings[int(a.NestedType.Nesting)],
			}
		}
		to[a.Name] = one
	}
	return to
}

// nestings are the modes of blocks and of nested attributes: the protocol
// numbers them alike.
var nestings = map[int]string{1: "single", 2: "list", 3: "set", 4: "map", 5: "group"}

func kind(k tfprotov6.StringKind) string {
	if k == tfprotov6.StringKindMarkdown {
		return "markdown"
	}
	return "plain"
}
