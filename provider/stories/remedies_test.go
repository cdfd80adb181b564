package stories

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A remedy is one cause of a problem, and the problem's own remedy for it.
type remedy struct {
	code problem.Code
	name string // a sentence about the layout and the way
	run  func(t *testing.T)
}

// Every problem of the catalogue is caused for real, its remedy is carried out as
// printed, and the problem goes away.
func TestEveryRemedyWorks(t *testing.T) {
	t.Parallel()
	remedies := slices.Concat(firewallRemedies, layoutRemedies, sessionRemedies, peopleRemedies, holdRemedies,
		accountRemedies, directoryRemedies, storageRemedies, certificateRemedies)
	for _, e := range problem.Catalogue() {
		if !slices.ContainsFunc(remedies, func(r remedy) bool { return r.code == e.Code }) {
			t.Errorf("no row tries the remedy of %s", e.Code)
		}
	}
	for _, r := range remedies {
		t.Run(fmt.Sprintf("%s/%s", r.code, r.name), func(t *testing.T) {
			t.Parallel()
			r.run(t)
		})
	}
}

// problem waits until the bridge has the problem, and returns it. Where there is a browser, the status page shows it.
func (w *world) problem(code problem.Code) (found problem.Problem) {
	w.t.Helper()
	w.eventually("the bridge has the problem "+string(code), func() (bool, string) {
		status, err := w.control().Status(w.t.Context())
		if err != nil {
			return false, err.Error()
		}
		i := slices.IndexFunc(status.Problems, func(p problem.Problem) bool { return p.Code == code })
		if i < 0 {
			return false, fmt.Sprintf("%s %+v", status.State, status.Problems)
		}
		found = status.Problems[i]
		return true, ""
	})
	return w.seeProblem(found)
}

// healed waits until the bridge has no problem at all.
func (w *world) healed() {
	w.t.Helper()
	w.eventually("the bridge has no problem", func() (bool, string) {
		status, err := w.control().Status(w.t.Context())
		if err != nil {
			return false, err.Error()
		}
		return status.State == "ready" &&
			len(status.Problems) == 0, fmt.Sprintf("%s %+v", status.State, status.Problems)
	})
	w.seeHealed()
}

var backquoted = regexp.MustCompile("`([^`]+)`")

// command returns the command of the remedy that begins with the prefix.
func command(t *testing.T, text, begin string) string {
	t.Helper()
	for _, quoted := range backquoted.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(quoted[1], begin) {
			return quoted[1]
		}
	}
	t.Fatalf("no command that begins with %q in: %s", begin, text)
	return ""
}

// shell runs a printed command in the folder of the configuration.
// Terraform must not ask for approval.
func (w *world) shell(command, input string, v vars) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = w.dir
	cmd.Env = append(slices.Clone(w.env), "TF_CLI_ARGS_apply=-auto-approve -input=false -no-color",
		"PATH="+filepath.Dir(providertest.Binary(w.t))+string(os.PathListSeparator)+providertest.Path(w.t))
	for name, value := range v {
		cmd.Env = append(cmd.Env, "TF_VAR_"+name+"="+value)
	}
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out.String())
	}
	w.ran(v)
	return out.String()
}

// deny makes a rule that denies ranges, with allow_lockout.
func (w *world) deny(priority int, ranges ...string) (id string) {
	w.t.Helper()
	yes, action, description := true, api.Deny, "made by hand"
	made, err := apitest.Read[api.FirewallRule](w.account.API.CreateFirewallRule(w.t.Context(),
		&api.CreateFirewallRuleParams{AllowLockout: &yes},
		api.FirewallRuleInput{Action: &action, IpRanges: &ranges, Priority: &priority, Description: &description}))
	done(w.t, made.Status, made.Body, err)
	return made.Value.Id
}

// deployed is a world whose bridge Terraform has deployed, and its token.
func deployed(t *testing.T, accountFlags ...string) (*world, session.Token) {
	t.Helper()
	w := newWorld(t, accountFlags...)
	token := newToken(t)
	w.config(w.base(fromAddress))
	w.apply(vars{"token": token.Reveal()})
	w.healed()
	return w, token
}

var firewallRemedies = []remedy{
	{problem.FirewallBlocked, "a rule before the default priority, in the local layout", func(t *testing.T) {
		w, _ := deployed(t)
		id := w.deny(50, "127.0.0.9")
		p := w.problem(problem.FirewallBlocked)
		for _, want := range []string{id, "made by hand", "priority 50", "last changed at"} {
			if !strings.Contains(p.Cause, want) {
				t.Errorf("the cause does not name %q: %s", want, p.Cause)
			}
		}
		w.config(w.base(fromAddress) + p.Terraform)
		w.shell(command(t, p.Remedy, "terraform apply"), "", nil)
		w.healed()
	}},
	{problem.FirewallBlocked, "a rule of the lowest priority, before which no other can be", func(t *testing.T) {
		w, _ := deployed(t)
		w.deny(0, "127.0.0.9", "127.0.0.10")
		p := w.problem(problem.FirewallBlocked)
		w.config(w.base(fromAddress) + p.Terraform)
		w.shell(command(t, p.Remedy, "terraform apply"), "", nil)
		w.healed()
		w.plan(nil).expectNoChanges(t)
	}},
	{problem.FirewallBlocked, "two rules of the lowest priority", func(t *testing.T) {
		w, _ := deployed(t)
		w.deny(0, "127.0.0.9")
		w.deny(0, "127.0.0.0/28", "192.0.2.0/24")
		// Terraform is shut out by the second: the remedy says how to get in.
		p := w.problem(problem.FirewallBlocked)
		w.shell(command(t, p.Remedy, "scim-bridge account firewall disable"), "", nil)
		w.problem(problem.FirewallDisabled)
	}},
	{problem.FirewallBlocked, "the default action", func(t *testing.T) {
		w, _ := deployed(t)
		w.defaultAction(api.Deny)
		without := strings.Replace(w.base(fromAddress), `ip_ranges   = ["127.0.0.9"]`, `ip_ranges   = ["127.0.0.77"]`+
			"\n  allow_lockout = true", 1)
		w.config(without)
		w.apply(nil)
		p := w.problem(problem.FirewallBlocked)
		w.config(without + p.Terraform)
		w.shell(command(t, p.Remedy, "terraform apply"), "", nil)
		w.healed()
	}},
	{problem.FirewallBlocked, "Terraform is shut out together with the bridge", func(t *testing.T) {
		w, _ := deployed(t)
		w.deny(50, "127.0.0.0/8")
		p := w.problem(problem.FirewallBlocked)
		code, out := w.run(nil, "plan", "-no-color", "-input=false")
		lift := regexp.MustCompile(`scim-bridge account firewall disable --database \S+ --for 1h`).FindString(out)
		if code == 0 || lift != command(t, p.Remedy, "scim-bridge account firewall disable") {
			t.Fatalf("Terraform's own error and the status page should name one command:\n%s\n%s", out, p.Remedy)
		}
		w.shell(lift, "", nil)
		off := w.problem(problem.FirewallDisabled)
		w.plan(nil).expectNoChanges(t) // which is no proof that the firewall may come back
		w.eventually("the problem names all that will be blocked", func() (bool, string) {
			off = w.problem(problem.FirewallDisabled)
			return strings.Contains(off.Cause, "at 127.0.0.9") &&
				strings.Contains(off.Cause, "at 127.0.0.1 "), off.Cause
		})
		if off.Details["expires"] == "" || !strings.Contains(off.Cause, off.Details["expires"]) {
			t.Errorf("the problem does not say when: %s", off.Cause)
		}
		w.config(w.base(fromAddress) + off.Terraform)
		w.apply(nil)
		w.eventually("none will be blocked any more", func() (bool, string) {
			off = w.problem(problem.FirewallDisabled)
			return off.Details["blocked"] == "" &&
				strings.Contains(off.Cause, "it will block no active bridge"), off.Cause
		})
		w.shell(command(t, off.Remedy, "scim-bridge account firewall disable"), "", nil)
		w.healed()
		w.plan(nil).expectNoChanges(t)
	}},
	{problem.FirewallBlocked, "the rule that the break-glass prints", func(t *testing.T) {
		w, _ := deployed(t)
		w.deny(50, "127.0.0.0/8")
		lift := command(t, w.problem(problem.FirewallBlocked).Remedy, "scim-bridge account firewall disable")
		w.run(nil, "plan", "-no-color", "-input=false") // which is refused, and so known to the account
		told := w.shell(lift, "", nil)
		for _, who := range []string{"the bridge ", " at 127.0.0.9 ", "an administrator at 127.0.0.1 "} {
			if !strings.Contains(told, who) {
				t.Errorf("the command does not tell that the firewall will block %q:\n%s", who, told)
			}
		}
		block := regexp.MustCompile(`(?ms)^    resource .*?^    }$`).FindString(told)
		w.config(w.base(fromAddress) + block)
		w.apply(nil)
		w.shell(command(t, told, "scim-bridge account firewall disable"), "", nil)
		w.healed()
		w.plan(nil).expectNoChanges(t)
	}},
	{problem.FirewallDisabled, "before it comes back, with a rule of the lowest priority", func(t *testing.T) {
		w, _ := deployed(t)
		w.account.Command("firewall", "disable", "--for", "1h")
		w.deny(0, "127.0.0.9")
		var off problem.Problem
		w.eventually("the problem names the bridge", func() (bool, string) {
			off = w.problem(problem.FirewallDisabled)
			return strings.Contains(off.Cause, "at 127.0.0.9"), off.Cause
		})
		w.config(w.base(fromAddress) + off.Terraform)
		w.shell(command(t, off.Remedy, "terraform apply"), "", nil)
		w.shell(command(t, off.Remedy, "scim-bridge account firewall disable"), "", nil)
		w.healed()
	}},
}
