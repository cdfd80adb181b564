package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// An Outcome is what creating a person would do, from a closed set.
type Outcome string

// The outcomes.
const (
	WouldAdopt  Outcome = "adopt"  // a member that is not provisioned
	WouldInvite Outcome = "invite" // a new member
	WouldStore  Outcome = "store"  // the person, which is not invited
	WouldRefuse Outcome = "refuse"
	WouldCreate Outcome = "create" // adopt or invite: the account does not tell
)

// A Foreseen is what creating one person would do.
type Foreseen struct {
	UserName string  `json:"user_name"`
	Address  string  `json:"address,omitempty"` // to sign in with
	Outcome  Outcome `json:"outcome"`
	Why      string  `json:"why,omitempty"`
	// Member is the id of the member that would be adopted.
	Member string `json:"member,omitempty"`
}

// A Preview asks what creating some people would do.
type Preview struct {
	People []json.RawMessage `json:"people"` // SCIM resources, as a POST has them; at most MaxPreviewed
}

// MaxPreviewed is how many people a preview takes: of each the account is asked for a userName and an address.
const MaxPreviewed = bridge.MaxNames / 2

// A Newcomer is a person that an identity provider would create.
type Newcomer struct {
	UserName, Address string // Address is the one to invite; empty if there is none
	Active            bool
}

// Foresee returns what creating a person would do at an account that has these members under its userName and its
// address. It follows the account's rules of adoption.
func Foresee(n Newcomer, members []bridge.Member) Foreseen {
	f := Foreseen{UserName: n.UserName, Address: n.Address}
	decide := func(o Outcome, format string, args ...any) Foreseen {
		f.Outcome, f.Why = o, sentence(format, args)
		return f
	}
	var byName, byAddress, holder *bridge.Member
	for _, m := range members {
		isAddress := n.Address != "" && strings.EqualFold(m.Address, n.Address)
		switch {
		case m.PersonID != "" && strings.EqualFold(m.UserName, n.UserName):
			return decide(WouldRefuse, "another provisioned person has the userName (409), SCIM id %s", m.PersonID)
		case m.PersonID == "" && m.LastUserName != "" && strings.EqualFold(m.LastUserName, n.UserName):
			byName = &m
		}
		switch {
		case isAddress && m.PersonID == "":
			byAddress = &m
		case isAddress, m.Change != nil && n.Address != "" && strings.EqualFold(m.Change.Address, n.Address):
			holder = &m
		}
	}
	adopted, by := byName, "by its last userName"
	if adopted == nil {
		adopted, by = byAddress, "by its address"
	}
	switch {
	case byName != nil && byAddress != nil && byName.ID != byAddress.ID:
		return decide(WouldRefuse, "the userName was one member's, %s, and the address is another's (409)",
			byName.Address)
	case adopted != nil && adopted.Protected:
		return decide(WouldRefuse, "%s is an owner, an administrator or the Provision Manager, which "+
			"provisioning never adopts (409)", adopted.Address)
	case adopted != nil:
		f.Member = adopted.ID
		return decide(WouldAdopt, "%s", adoption(n, *adopted, by, holder))
	case !n.Active:
		return decide(WouldStore, "it is inactive: it is invited when it becomes active")
	case n.Address == "":
		return decide(WouldStore, "it has no e-mail address to invite")
	case holder != nil:
		return decide(WouldStore, "another member has the address %s, or is about to move to it", n.Address)
	default:
		return decide(WouldInvite, "")
	}
}

// adoption says what becomes of an adopted member.
func adoption(n Newcomer, m bridge.Member, by string, holder *bridge.Member) string {
	text := fmt.Sprintf("the member that is %s, %s", strings.ReplaceAll(string(m.State), "_", " "), by)
	switch {
	case !n.Active && !m.Suspended:
		text += ", and suspend it"
	case n.Active && m.Suspended:
		text += ", and reactivate it"
	}
	if n.Address != "" && !strings.EqualFold(n.Address, m.Address) {
		switch {
		case holder != nil:
			text += "; its address stays " + m.Address + ", since another member has " + n.Address
		case m.State == bridge.Invited:
			text += "; the invitation goes to " + n.Address
		default:
			text += "; its address changes to " + n.Address + " when the person confirms it"
		}
	}
	return text
}

// A PreviewAnswer has an entry for each person of a preview.
type PreviewAnswer struct {
	People []Foreseen `json:"people"`
}

// Preview returns what creating some people would do, each by itself. Nothing is created. The error is a
// *QuestionError, or the account's.
func (x *Explainer) Preview(ctx context.Context, p Preview) (a PreviewAnswer, err error) {
	if len(p.People) == 0 || len(p.People) > MaxPreviewed {
		return a, &QuestionError{fmt.Sprintf("there are %d people; ask for 1 to %d", len(p.People), MaxPreviewed)}
	}
	newcomers := make([]Newcomer, len(p.People))
	var names []string
	for i, resource := range p.People {
		if newcomers[i], err = x.newcomer(resource); err != nil {
			return a, &QuestionError{fmt.Sprintf("person %d: %v", i+1, err)}
		}
		names = append(names, newcomers[i].UserName)
		if newcomers[i].Address != "" {
			names = append(names, newcomers[i].Address)
		}
	}
	found, err := x.Account.LookUpMembers(ctx, names, false)
	hidden := errors.Is(err, errors.ErrUnsupported)
	if err != nil && !hidden {
		return a, err
	}
	members := byName(found.Items)
	for _, n := range newcomers {
		f := Foreseen{UserName: n.UserName, Address: n.Address, Outcome: WouldCreate}
		if !hidden {
			f = Foresee(n, members(n.UserName, n.Address))
		}
		a.People = append(a.People, f)
	}
	return a, nil
}

// newcomer reads a SCIM resource as far as adoption and invitation depend on it.
func (x *Explainer) newcomer(resource json.RawMessage) (n Newcomer, err error) {
	var r struct {
		UserName string `json:"userName"`
		Active   any    `json:"active"`
	}
	if err := json.Unmarshal(resource, &r); err != nil {
		return n, errors.New("it is no SCIM resource of a person")
	}
	n.UserName = inputtext.TrimBlanks(r.UserName)
	if n.UserName == "" || len(n.UserName) > maxAsked {
		return n, errors.New("it has no userName, or one that is too long")
	}
	n.Address = x.SignInAddress(resource)
	text, isText := r.Active.(string)
	n.Active = r.Active != false && (!isText || !strings.EqualFold(text, "false")) // Entra sends "False"
	return n, nil
}

// byName returns a function that returns the members that have one of two names. A preview has hundreds of people.
func byName(all []bridge.Member) func(userName, address string) []bridge.Member {
	index := make(map[string][]int, 2*len(all))
	for i, m := range all {
		names := []string{m.Address, m.UserName, m.LastUserName}
		if m.Change != nil {
			names = append(names, m.Change.Address)
		}
		for _, name := range names {
			if name != "" {
				index[strings.ToLower(name)] = append(index[strings.ToLower(name)], i)
			}
		}
	}
	return func(userName, address string) (some []bridge.Member) {
		seen := map[int]bool{}
		for _, name := range []string{userName, address} {
			for _, i := range index[strings.ToLower(name)] {
				if !seen[i] {
					seen[i] = true
					some = append(some, all[i])
				}
			}
		}
		return some
	}
}
