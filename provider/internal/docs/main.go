// Command docs generates docs/ from the provider's schema, its templates, the
// examples and the catalogue of problems, and checks it against the registry's
// rules. It needs neither Terraform nor a network.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/scimbridge/terraform-provider-scimbridge/provider"
)

//go:generate go run .

const root = "../../.." // from here, where go generate runs it

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "scimbridge-docs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	server := providerserver.NewProtocol6(provider.New())()
	described, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return fmt.Errorf("asking the provider for its schema: %w", err)
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return fmt.Errorf("asking the provider for its identities: %w", err)
	}
	for _, d := range append(described.Diagnostics, identities.Diagnostics...) {
		return fmt.Errorf("the provider's schema: %s: %s", d.Summary, d.Detail)
	}
	text, err := json.Marshal(schemasOf(described, identities))
	if err != nil {
		return err
	}
	file := filepath.Join(folder, "schema.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	if err := tfplugindocs(ctx, "generate", "--rendered-provider-name", "scimbridge", "--website-source-dir",
		"provider/templates", "--providers-schema", file); err != nil {
		return err
	}
	if err := categorize(filepath.Join(root, "docs")); err != nil {
		return err
	}
	if err := writeTroubleshooting(filepath.Join(root, "docs", "guides", "troubleshooting.md")); err != nil {
		return err
	}
	return tfplugindocs(ctx, "validate", "--providers-schema", file)
}

func tfplugindocs(ctx context.Context, command string, arguments ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{
		"tool", "-modfile=" + filepath.Join(root, ".ci/tools/go.mod"), "tfplugindocs", command,
		"--provider-dir", root, "--provider-name", "scimbridge",
	}, arguments...)...)
	if told, err := cmd.CombinedOutput(); err != nil { // else it is of no interest
		return fmt.Errorf("tfplugindocs %s: %w\n%s", command, err, told)
	}
	return nil
}
