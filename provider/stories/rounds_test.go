package stories

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// In whatever order thirty rules are written or deleted, the caller is never shut
// out in between, and the run ends with success or the documented error.
// Terraform chooses a different order in each round. Rounds go on until a write
// was refused for the moment, at least the minimum.
func TestManyRulesInOneApply(t *testing.T) {
	t.Parallel()
	const (
		least = 5
		most  = 20
		rules = 30
	)
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	var config strings.Builder
	config.WriteString(requirements)
	for i := range rules {
		if i%2 == 0 { // each would shut the caller out
			fmt.Fprintf(&config, "resource \"scimbridge_firewall_rule\" \"r%d\" {\n  action = \"deny\"\n"+
				"  ip_ranges = [\"127.0.0.0/8\", \"10.0.%d.0/24\"]\n}\n", i, i)
		} else { // each would let the caller in
			fmt.Fprintf(&config, "resource \"scimbridge_firewall_rule\" \"r%d\" {\n"+
				"  ip_ranges = [\"127.0.0.1\", \"10.1.%d.0/24\"]\n}\n", i, i)
		}
	}
	w.config(config.String())
	stop, watched := make(chan struct{}), make(chan error, 1)
	go func() { watched <- watch(account, stop) }()

	documented := regexp.MustCompile(`(?s)would_lock_out.*depends_on.*scimbridge_firewall_policy`)
	ended := make(map[string]int)
	refused := func() int { return strings.Count(account.Log(), "code=would_lock_out") }
	for round := range most {
		if round >= least && refused() > 0 && ended["apply"] > 0 && ended["destroy"] > 0 {
			break
		}
		for _, command := range []string{"apply", "destroy"} {
			code, out := w.run(nil, command, "-auto-approve", "-no-color", "-input=false", "-parallelism=10")
			// Terraform wraps the lines of an error.
			if code != 0 &&
				documented.MatchString(strings.Join(strings.Fields(strings.ReplaceAll(out, "│", "")), " ")) {
				ended["error"]++
				continue
			}
			if code != 0 {
				t.Fatalf("round %d, %s:\n%s", round, command, out)
			}
			ended[command]++
		}
	}
	close(stop)
	if err := <-watched; err != nil {
		t.Error(err)
	}
	t.Logf("%v; refused for now: %d writes", ended, refused())
	if refused() == 0 || ended["apply"] == 0 || ended["destroy"] == 0 {
		t.Error("no order was a wrong one, or none the right one: the test proves nothing")
	}
}

// watch asks the account as the caller, again and again.
func watch(account *providertest.Account, stop chan struct{}) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	request, err := http.NewRequest(http.MethodGet, account.URL+"/v1/whoami", nil) //nolint:noctx // ends with stop
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+account.Token)
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		resp, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("in between, the caller was answered %d", resp.StatusCode)
		}
	}
}
