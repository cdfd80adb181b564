package explain

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// maxRequests is how many requests an explanation lists.
const maxRequests = 10

// requests are the latest events that came of requests. groups are names of groups by their ids.
func requests(events []journal.Event, log map[string]LogLine, groups map[string]string) (all []Request) {
	for _, e := range events {
		if e.Request == "" || len(all) == maxRequests {
			continue
		}
		line := log[e.Request]
		all = append(all, Request{
			Time: e.Time, What: describe(e, groups), Method: cmp.Or(e.Method, line.Method, methodOf(e.Kind)),
			Status: e.Status, Code: e.Code, ID: e.Request, Client: line.Client, Token: e.Token,
		})
	}
	return all
}

// methodOf returns the method of a request, if the kind alone says it.
func methodOf(k journal.Kind) string {
	switch k {
	case journal.PersonCreated, journal.GroupCreated:
		return http.MethodPost
	case journal.PersonDeleted, journal.GroupDeleted:
		return http.MethodDelete
	default:
		return ""
	}
}

// describe says in a few words what an event is.
func describe(e journal.Event, groups map[string]string) string {
	var words []string
	switch e.Kind {
	case journal.PersonCreated, journal.GroupCreated:
		words = append(words, "created, or adopted")
	case journal.PersonUpdated, journal.GroupUpdated:
		words = append(words, "changed")
	case journal.PersonDeleted, journal.GroupDeleted:
		words = append(words, "deleted")
	case journal.PersonRefused, journal.GroupRefused:
		words = append(words, "refused")
	default:
		words = append(words, strings.ReplaceAll(string(e.Kind), "_", " "))
	}
	if e.Person == "" && e.Group != "" && groups != nil {
		words[0] = "group " + cmp.Or(groups[e.Group], e.Group) + " " + words[0]
	}
	if e.Active != nil {
		words = append(words, state(e))
	}
	if e.State != "" {
		words = append(words, "member "+strings.ReplaceAll(e.State, "_", " "))
	}
	for _, m := range []struct {
		what    string
		members *journal.Members
	}{{"adds", e.Added}, {"removes", e.Removed}, {"sets", e.Set}} {
		if m.members != nil {
			words = append(words, m.what+" "+count(int64(m.members.Count), "member", "members"))
		}
	}
	if e.Unknown > 0 {
		words = append(words, count(int64(e.Unknown), "unknown id", "unknown ids"))
	}
	if e.Unchanged {
		words = append(words, "nothing changed")
	}
	return strings.Join(words, ", ")
}

// state says whether the person is active after a request, and whether the request said so.
func state(e journal.Event) string {
	switch {
	case e.SentActive != nil && *e.SentActive == *e.Active:
		return fmt.Sprintf("active: %t", *e.Active)
	case *e.Active:
		return "now active"
	default:
		return "now inactive"
	}
}

// failure says how a request failed.
func failure(e journal.Event, log map[string]LogLine) string {
	text := strings.TrimSpace(fmt.Sprintf("%s %d", e.Method, e.Status))
	if e.Code != "" {
		text += " " + e.Code
	}
	return text + request(e, log)
}

// afterRefusal says what to do about a refused request.
func afterRefusal(e journal.Event) string {
	switch {
	case e.Code == "user_name_taken" || e.Code == "uniqueness":
		return "Another person had the userName or the address at that time. Ask for it with `scim-bridge explain`, " +
			"and give one of the two another in the identity provider."
	case e.Code == "group_name_taken":
		return "Another provisioned group had the name at that time: give one of the two another name in the " +
			"identity provider, or make it match the one that there is."
	case e.Code == "protected":
		return "Provisioning leaves owners, administrators, the Provision Manager and built-in groups alone. Remove " +
			"it from the identity provider's assignment, or let an administrator of the account make it an ordinary " +
			"member first."
	case e.Code == "members_unknown":
		return "Assign the missing people to this application in the identity provider, and push the group again."
	case e.Status == http.StatusNotFound:
		return "The identity provider used an id that is not, or no longer, known. Let it look the person or the " +
			"group up again: restart its provisioning (Entra ID), or remove the assignment and assign it again (Okta)."
	case e.Status == http.StatusPreconditionFailed:
		return "Another request had changed it in between; the identity provider repeats the request."
	case e.Status == http.StatusServiceUnavailable, e.Status == http.StatusTooManyRequests:
		return "The account could not be asked at that time. Identity providers repeat such a request; if it does " +
			"not, restart its provisioning."
	case e.Status >= http.StatusInternalServerError:
		return "This is a fault. The bridge's log has the reason under the request's id."
	default:
		return "The identity provider sent what cannot be taken. Its own provisioning log has the answer's text, " +
			"which says what is wrong and what to send."
	}
}
