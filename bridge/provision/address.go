package provision

import (
	"encoding/json"
	"net/mail"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/jsontext"
)

// SignInAddress returns a person's sign-in address: the userName if it is an e-mail address,
// else the primary, else the work, else the first of the e-mail addresses. It is empty if
// there is none.
func SignInAddress(attributes json.RawMessage) string {
	if address := inputtext.TrimBlanks(userName(attributes)); isAddress(address) {
		return address // of most people; the rest need not be read
	}
	var person struct {
		UserName string `json:"userName"`
		Emails   []struct {
			Value   string `json:"value"`
			Type    string `json:"type"`
			Primary any    `json:"primary"`
		} `json:"emails"`
	}
	// A member of another type is ignored; the others are still read.
	_ = json.Unmarshal(attributes, &person)

	if address := inputtext.TrimBlanks(person.UserName); isAddress(address) {
		return address
	}
	var primary, work, first string
	for _, e := range person.Emails {
		address := inputtext.TrimBlanks(e.Value)
		if !isAddress(address) {
			continue
		}
		if first == "" {
			first = address
		}
		if work == "" && strings.EqualFold(e.Type, "work") {
			work = address
		}
		if primary == "" && isTrue(e.Primary) {
			primary = address
		}
	}
	switch {
	case primary != "":
		return primary
	case work != "":
		return work
	default:
		return first
	}
}

// userName returns the userName of attributes, if they have it as a text under this very name.
func userName(attributes json.RawMessage) (name string) {
	r := jsontext.NewReader(attributes)
	r.Object(func(member []byte) {
		if string(member) == "userName" {
			name = r.String()
		}
	})
	if r.Err() != nil {
		return ""
	}
	return name
}

// isTrue also accepts the text "True", which some identity providers send.
func isTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return strings.EqualFold(v, "true")
	default:
		return false
	}
}

// maxAddress is the maximum length of an address (RFC 5321, 4.5.3.1.3, without the angle
// brackets).
const maxAddress = 254

func isAddress(s string) bool {
	if len(s) > maxAddress {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}
