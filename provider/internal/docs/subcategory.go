package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// subcategories are the groups in which the registry's navigation shows the
// pages, by their names. What tfplugindocs writes has an empty one.
var subcategories = map[string]string{
	"bearer_token":     "Provisioning",
	"bridge_status":    "Bridges",
	"caller":           "Firewall",
	"deployment":       "Bridges",
	"directory":        "Provisioning",
	"firewall_policy":  "Firewall",
	"firewall_rule":    "Firewall",
	"firewall_verdict": "Firewall",
	"groups":           "People",
	"members":          "People",
	"provisioning":     "Provisioning",
	"redeploy":         "Bridges",
	"rollout":          "Bridges",
	"sign_in_attempts": "People",
	"signup_domain":    "Sign-up domains",
	"signup_domains":   "Sign-up domains",
}

// categorize puts the pages of all that a configuration can declare into
// their groups; functions have none.
func categorize(docs string) error {
	for _, kind := range []string{"actions", "data-sources", "ephemeral-resources", "list-resources", "resources"} {
		pages, err := filepath.Glob(filepath.Join(docs, kind, "*.md"))
		if err != nil {
			return err
		}
		for _, page := range pages {
			name := strings.TrimSuffix(filepath.Base(page), ".md")
			group := subcategories[name]
			if group == "" {
				return fmt.Errorf("%s/%s has no subcategory; give it one in provider/internal/docs/subcategory.go",
					kind, name)
			}
			text, err := os.ReadFile(page)
			if err != nil {
				return err
			}
			const empty = "\nsubcategory: \"\"\n"
			if !strings.Contains(string(text), empty) {
				return fmt.Errorf("%s has no empty subcategory to fill in", page)
			}
			text = []byte(strings.Replace(string(text), empty, fmt.Sprintf("\nsubcategory: %q\n", group), 1))
			if err := os.WriteFile(page, text, 0o644); err != nil { //nolint:gosec // as tfplugindocs writes the others
				return err
			}
		}
	}
	return nil
}
