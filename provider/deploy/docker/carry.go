package docker

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A new volume gets the journal and the kept log of the one before: what happened to a deployment outlives its
// containers. No deployment fails for their sake.
const (
	// keyTime is how long the journal's key may take, before the new bridge is started.
	keyTime = 10 * time.Second
	// keptTime is how long everything else may take, while the new bridge serves.
	keptTime = time.Minute
)

// carryKey gives a volume whose bridge was never started the key of the journal: the bridge would make one, under
// which no name is found again.
func carryKey(ctx context.Context, c *client.Client, old, next *generation) {
	ctx, cancel := context.WithTimeout(ctx, keyTime)
	defer cancel()
	name := path.Join(journal.Folder, journal.KeyFile)
	key, err := readFile(ctx, c, old, name)
	if errors.Is(err, errNoFile) {
		return // its bridge is older than the journal
	}
	if err == nil {
		err = writeFiles(ctx, c, next, map[string][]byte{name: key})
	}
	if err != nil {
		deploy.Log(ctx, "the new bridge does not get the key of the old one's journal: "+err.Error())
	}
}

// carryKept copies the files of a stopped bridge's journal and kept log. Each process writes files of its own, under
// names that no other chooses, so that they can be added to those of a running bridge.
func carryKept(ctx context.Context, c *client.Client, from, to *generation) {
	ctx, cancel := context.WithTimeout(ctx, keptTime)
	defer cancel()
	kept := journal.Kept()
	for _, folder := range slices.Sorted(maps.Keys(kept)) {
		isKept := func(name string) bool { return isOneOf(kept[folder], name) }
		if err := copyFolder(ctx, c, from, to, folder, isKept); err != nil {
			deploy.Log(ctx, "the bridge does not get what "+from.name()+" has kept: "+err.Error())
		}
	}
}

func isOneOf(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		is, _ := path.Match(pattern, name) // it is well formed
		return is
	})
}
