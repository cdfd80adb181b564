package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
	// Member is the id of the member that would be adopted, and By how it is found.
	Member string          `json:"member,omitempty"`
	By     bridge.NameKind `json:"by,omitempty"`
	// Suspends is set if somebody who has access now would be suspended, which counts against the suspension_limit.
	Suspends bool `json:"suspends,omitempty"`
	// Reserves are addresses that nobody else can have then.
	Reserves []string `json:"reserves,omitempty"`
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
	// NameAt and AddressAt are their places among the names of the lookup; AddressAt is -1 without an address. The
	// account says who has a name: only it knows how names are compared.
	NameAt, AddressAt int
}

// A Forecast is what newcomers are seen by, beside the members that have their names.
type Forecast struct {
	Now            time.Time
	AllowedDomains []string // for sign-up
}

// Foresee returns what creating a person would do at an account that has these members under its userName and its
// address. It follows the account's rules of adoption.
func (c Forecast) Foresee(n Newcomer, members []bridge.Member) Foreseen {
	f := Foreseen{UserName: n.UserName, Address: n.Address}
	decide := func(o Outcome, format string, args ...any) Foreseen {
		f.Outcome, f.Why = o, sentence(format, args)
		return f
	}
	var byName, byAddress *bridge.Member
	for i := range members {
		m := &members[i]
		switch {
		case m.IsFoundBy(n.NameAt, bridge.ByUserName):
			return decide(WouldRefuse, "another provisioned person has the userName (409), SCIM id %s", m.PersonID)
		case m.PersonID == "" && m.IsFoundBy(n.NameAt, bridge.ByLastUserName):
			byName = m
		}
		if m.PersonID == "" && m.IsFoundBy(n.AddressAt, bridge.ByAddress) {
			byAddress = m
		}
	}
	adopted := byName
	f.By = bridge.ByLastUserName
	if adopted == nil {
		adopted, f.By = byAddress, bridge.ByAddress
	}
	if adopted == nil || adopted.Protected || byName != nil && byAddress != nil && byName.ID != byAddress.ID {
		f.By = ""
	}
	isHeld := slices.ContainsFunc(members, func(m bridge.Member) bool {
		return (adopted == nil || m.ID != adopted.ID) &&
			m.IsFoundBy(n.AddressAt, bridge.ByAddress, bridge.ByNewAddress)
	})
	switch {
	case byName != nil && byAddress != nil && byName.ID != byAddress.ID:
		return decide(WouldRefuse, "the userName was one member's, %s, and the address is another's (409)",
			byName.Address)
	case adopted != nil && adopted.Protected:
		return decide(WouldRefuse, "%s is an owner, an administrator or the Provision Manager, which provisioning "+
			"never adopts (409)", adopted.Address)
	case adopted != nil:
		f.Member, f.Reserves = adopted.ID, []string{adopted.Address}
		if n.Address != "" && !isHeld {
			f.Reserves = append(f.Reserves, n.Address)
		}
		f.Suspends = !n.Active && !adopted.Suspended && !adopted.SuspensionHeld
		return decide(WouldAdopt, "%s", c.adoption(n, *adopted, f.By, isHeld))
	case !n.Active:
		return decide(WouldStore, "it is inactive: it is invited when it becomes active")
	case n.Address == "":
		return decide(WouldStore, "it has no e-mail address to invite")
	case isHeld:
		return decide(WouldStore, "another member has the address %s, or is about to move to it", n.Address)
	default:
		f.Reserves = []string{n.Address}
		return decide(WouldInvite, "")
	}
}

// adoption says what becomes of an adopted member.
func (c Forecast) adoption(n Newcomer, m bridge.Member, by bridge.NameKind, isHeld bool) string {
	text := "the member that is " + strings.ReplaceAll(string(m.State), "_", " ") + ", by its last userName"
	if by == bridge.ByAddress {
		text = "the member that is " + strings.ReplaceAll(string(m.State), "_", " ") + ", by its address"
	}
	switch {
	case !n.Active && m.SuspensionHeld:
		text += "; its suspension stays held"
	case !n.Active && !m.Suspended:
		text += ", and suspend it"
	case n.Active && m.SuspensionHeld:
		text += ", and take the held suspension back"
	case n.Active && m.Suspended:
		text += ", and reactivate it"
	}
	return text + c.invitation(n, m, isHeld)
}

// invitation says what becomes of the address and the invitation of an adopted member.
func (c Forecast) invitation(n Newcomer, m bridge.Member, isHeld bool) string {
	staysAway := !n.Active && !m.SuspensionHeld // it gets no mail
	moves := n.Address != "" && !m.IsFoundBy(n.AddressAt, bridge.ByAddress)
	stays := "; its address stays " + m.Address
	switch {
	case moves && isHeld && m.State == bridge.Invited:
		return stays + ", since another member has " + n.Address + ", and no invitation is sent"
	case moves && isHeld:
		return stays + ", since another member has " + n.Address
	case moves && m.State == bridge.Invited && staysAway:
		return "; its address becomes " + n.Address + ", and no invitation is sent while it is suspended"
	case moves && m.State == bridge.Invited:
		return "; the invitation goes to " + n.Address
	case moves && !n.Active:
		return stays + " while it is suspended"
	case moves && !c.isAllowed(n.Address):
		return stays + ": the e-mail that confirms " + n.Address + " is not sent before the domain " +
			domainOf(n.Address) + " is allowed for sign-up"
	case moves:
		return "; its address changes to " + n.Address + " when the person confirms it"
	case m.State == bridge.Invited && n.Active && !c.Now.Before(m.InvitedUntil):
		return "; a new invitation is sent, since no link works any more"
	default:
		return ""
	}
}

func (c Forecast) isAllowed(address string) bool {
	return slices.ContainsFunc(c.AllowedDomains, func(d string) bool {
		return inputtext.Fold(d) == inputtext.Fold(domainOf(address))
	})
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

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
		newcomers[i].NameAt, newcomers[i].AddressAt = len(names), -1
		names = append(names, newcomers[i].UserName)
		if newcomers[i].Address != "" {
			newcomers[i].AddressAt = len(names)
			names = append(names, newcomers[i].Address)
		}
	}
	found, err := x.Account.LookUpMembers(ctx, names, false)
	hidden := errors.Is(err, errors.ErrUnsupported)
	if err != nil && !hidden {
		return a, err
	}
	members := byName(found.Items)
	forecast := Forecast{Now: x.Now(), AllowedDomains: found.AllowedDomains}
	for _, n := range newcomers {
		f := Foreseen{UserName: n.UserName, Address: n.Address, Outcome: WouldCreate}
		if !hidden {
			f = forecast.Foresee(n, members(n.NameAt, n.AddressAt))
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

// byName returns a function that returns the members that were found under two names. A preview has hundreds of people.
func byName(all []bridge.Member) func(places ...int) []bridge.Member {
	index := make(map[int][]int, len(all))
	for i, m := range all {
		for _, f := range m.FoundBy {
			index[f.Name] = append(index[f.Name], i)
		}
	}
	return func(places ...int) (some []bridge.Member) {
		seen := map[int]bool{}
		for _, place := range places {
			for _, i := range index[place] {
				if !seen[i] {
					seen[i] = true
					some = append(some, all[i])
				}
			}
		}
		return some
	}
}
