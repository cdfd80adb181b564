package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Question names a person or a group.
type Question struct {
	// Person is a userName, an e-mail address, a SCIM id or an externalId, and Group a name, a SCIM id or an
	// externalId. Case and blanks around names and addresses do not count.
	Person string `json:"person,omitempty"`
	Group  string `json:"group,omitempty"`
}

// A QuestionError is the error for a question that asks for nobody.
type QuestionError struct{ Detail string }

func (e *QuestionError) Error() string { return e.Detail }

// maxAsked bounds what is asked for, in bytes.
const maxAsked = 1024

func (q Question) check() error {
	switch person, group := inputtext.TrimBlanks(q.Person), inputtext.TrimBlanks(q.Group); {
	case (person == "") == (group == ""):
		return &QuestionError{"ask for a person, by its userName, e-mail address, SCIM id or externalId, or for a " +
			"group, by its name, SCIM id or externalId"}
	case len(person)+len(group) > maxAsked:
		return &QuestionError{fmt.Sprintf("the name is longer than %d bytes", maxAsked)}
	}
	return nil
}

// An Answer is what is known of those that a question names.
type Answer struct {
	Asked string    `json:"asked"`
	Time  time.Time `json:"time"`
	// Found has an explanation for each person or group that was found, or one that says that there is none.
	Found []Explanation `json:"found"`
	// More is set if there are others, which are left out.
	More bool `json:"more,omitempty"`
	// Unknown is what could not be found out, and why; each is a sentence.
	Unknown []string `json:"unknown,omitempty"`
	// JournalSince is how far the journal goes back; zero if it is empty.
	JournalSince time.Time `json:"journal_since,omitzero"`
}

// A Verdict is what an explanation comes to, from a closed set.
type Verdict string

// The verdicts about people.
const (
	Active         Verdict = "active"          // in
	Pending        Verdict = "pending"         // accepted the invitation, and waits to be confirmed
	Invited        Verdict = "invited"         // and has not accepted
	NotInvited     Verdict = "not_invited"     // provisioned, and without an address to invite
	Suspended      Verdict = "suspended"       // provisioned
	SuspensionHeld Verdict = "suspension_held" // in; suspended or deleted for the identity provider
	NotProvisioned Verdict = "not_provisioned" // a member that no identity provider manages
	Protected      Verdict = "protected"       // a member that none can manage
)

// The verdicts about groups.
const (
	Provisioned  Verdict = "provisioned"
	RemovalsHeld Verdict = "removals_held" // provisioned; some members have left for the identity provider
)

// The verdicts about both, if the account has nobody.
const (
	Refused      Verdict = "refused"      // the last request about it failed
	Deleted      Verdict = "deleted"      // by the identity provider
	Gone         Verdict = "gone"         // it was there, and nobody has deleted it here
	NeverSeen    Verdict = "never_seen"   // the identity provider has not sent it
	Undetermined Verdict = "undetermined" // the account cannot be asked
)

// An Explanation is why one person or group is in or not. Its texts are sentences, or begin like one.
type Explanation struct {
	Verdict Verdict `json:"verdict"`
	// In reports whether the person can use the account now, or the group is provisioned; nil if that is not known.
	In *bool `json:"in"`
	// Conclusion says all of it in one sentence.
	Conclusion string `json:"conclusion"`

	Name       string `json:"name,omitempty"` // the userName or the group's name
	ID         string `json:"id,omitempty"`   // of SCIM
	ExternalID string `json:"external_id,omitempty"`
	Address    string `json:"address,omitempty"` // to sign in with
	// Said is what the identity provider said, Has what the account has, Awaited what is waited for, and ToDo what
	// helps.
	Said    []string `json:"said,omitempty"`
	Has     []string `json:"has,omitempty"`
	Awaited []string `json:"awaited,omitempty"`
	ToDo    []string `json:"to_do,omitempty"`
	// Terraform is a block to paste for ToDo; often empty.
	Terraform string `json:"terraform,omitempty"`
	// Requests are the latest ones of the identity provider about it, newest first.
	Requests []Request `json:"requests,omitempty"`
}

// A Request is what became of a request of the identity provider, as the journal has it.
type Request struct {
	Time time.Time `json:"time"`
	// What says in a few words what became of it.
	What string `json:"what"`
	// Method is empty if it is not known.
	Method string `json:"method,omitempty"`
	Status int    `json:"status,omitempty"`
	Code   string `json:"code,omitempty"` // why it was refused
	// ID is the one under which the log has the request, and Client where it came from, if the log still has it.
	ID     string `json:"request,omitempty"`
	Client string `json:"client,omitempty"`
	// Token is the kind of bearer token: current or previous.
	Token string `json:"token,omitempty"`
}

func (e *Explanation) said(format string, args ...any) {
	e.Said = append(e.Said, sentence(format, args))
}
func (e *Explanation) has(format string, args ...any) { e.Has = append(e.Has, sentence(format, args)) }
func (e *Explanation) awaited(format string, args ...any) {
	e.Awaited = append(e.Awaited, sentence(format, args))
}
func (e *Explanation) toDo(format string, args ...any) {
	e.ToDo = append(e.ToDo, sentence(format, args))
}

// conclude sets the verdict and the conclusion.
func (e *Explanation) conclude(v Verdict, in bool, format string, args ...any) {
	e.Verdict, e.In, e.Conclusion = v, &in, sentence(format, args)
}

// sentence formats a text. Names and addresses come from outside.
func sentence(format string, args []any) string { return inputtext.Line(fmt.Sprintf(format, args...)) }

// moment formats a time as people read it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// count is a number with what is counted.
func count(n int64, one, many string) string {
	if n == 1 {
		return "one " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// maxListed is how many names are in a sentence.
const maxListed = 10

func list(names []string) string {
	if more := len(names) - maxListed; more > 0 {
		return strings.Join(names[:maxListed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
