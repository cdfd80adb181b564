package docker

import (
	"context"
	"path"

	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A new volume gets the journal and the kept log of the one before: what happened to a deployment outlives its
// containers. Each process writes files of its own, under names that no other chooses, so that they can be added to
// those of a running bridge. Only the key is there before the new bridge starts, which would make one.
func isKey(name string) bool { return name == "key" }

func isKept(name string) bool {
	for _, pattern := range []string{"events-*.jsonl", "reads-*.jsonl", "scim-bridge-*.log"} {
		if kept, _ := path.Match(pattern, name); kept { // it is well formed
			return true
		}
	}
	return false
}

func isKeptOrKey(name string) bool { return isKept(name) || isKey(name) }

// carryOver copies files of the old bridge's journal and kept log. No deployment fails for their sake.
func carryOver(ctx context.Context, c *client.Client, old, next *generation, wanted func(string) bool) {
	for _, folder := range []string{"journal", "log"} {
		if err := copyFolder(ctx, c, old, next, folder, wanted); err != nil {
			deploy.Log(ctx, "the new bridge does not get what the old one has kept: "+err.Error())
		}
	}
}
