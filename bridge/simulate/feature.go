package simulate

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// Features that a server may declare as unsupported: those of ServiceProviderConfig (RFC 7643 section 5) that some step
// needs, and groups, by ResourceTypes (RFC 7643 section 6).
const (
	featurePatch    = "patch"
	featureFilter   = "filter"
	featurePassword = "changePassword"
	featureGroups   = "groups"
)

// needs returns the feature without which a server cannot answer a step; empty if there is none. A step of a group that
// patches needs both: groups are named first.
func (s Step) needs(declared map[string]bool) string {
	path, query, _ := strings.Cut(s.Path, "?")
	isSearch := strings.HasSuffix(path, "/.search")
	for _, one := range []struct {
		feature string
		needed  bool
	}{
		{featureGroups, path == "/Groups" || strings.HasPrefix(path, "/Groups/")},
		{s.Needs, s.Needs != ""},
		{featurePatch, s.Method == http.MethodPatch},
		{featureFilter, isSearch || strings.Contains(query, "filter=")},
	} {
		if one.needed && declared[one.feature] {
			return one.feature
		}
	}
	return ""
}

// declaredUnsupported returns what a ServiceProviderConfig says is not supported. What it does not mention is taken for
// supported.
func declaredUnsupported(config any) map[string]bool {
	declared := map[string]bool{}
	for _, feature := range []string{featurePatch, featureFilter, featurePassword} {
		if supported, said := (Path{feature, "supported"}).in(config); said && supported == false {
			declared[feature] = true
		}
	}
	return declared
}

// hasGroups reports whether a server may have groups: false only if it lists its resource types without them.
func (p *Player) hasGroups(ctx context.Context) bool {
	answer, err := p.send(ctx, Step{Method: http.MethodGet, Path: "/ResourceTypes"})
	if err != nil || answer.status != http.StatusOK {
		return true
	}
	var list struct {
		Resources []struct{ ID, Name, Endpoint string }
	}
	if json.Unmarshal(answer.body, &list) != nil || len(list.Resources) == 0 {
		return true
	}
	users := false
	for _, one := range list.Resources {
		if strings.HasSuffix(strings.TrimSuffix(one.Endpoint, "/"), "/Groups") || one.Endpoint == groupsKind {
			return true
		}
		users = users || strings.Contains(one.Endpoint, usersKind)
	}
	return !users // a list without both is not understood
}
