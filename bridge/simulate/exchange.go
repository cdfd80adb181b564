package simulate

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A Scenario is a conversation that one identity provider holds.
type Scenario struct {
	ID       string            `json:"id"`
	IdP      string            `json:"idp"`
	Evidence string            `json:"evidence"` // doc, log or code: how certain it is
	Source   string            `json:"source"`   // where the exchange was seen
	Headers  map[string]string `json:"headers"`  // of every request
	Steps    []Step            `json:"steps"`
}

// A Step is one request and what the provider accepts as its answer.
// {{R}} and {{guid}} in Path, Body and Check stand for values that are other
// ones in each run, {{domain}} and {{DOMAIN}} for the domain of e-mail addresses,
// {{name}} for a value that an earlier step saved.
type Step struct {
	ID      string            `json:"id"`
	Habit   string            `json:"habit"` // what it checks; if empty, the one of such requests
	Needs   string            `json:"needs"` // a feature of ServiceProviderConfig, beside those that it shows itself
	Method  string            `json:"method"`
	Path    string            `json:"path"` // relative to the SCIM base URL; its query is encoded when sent
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Expect  []int             `json:"expect"` // acceptable statuses
	Save    map[string]string `json:"save"`   // variable: path in the answer
	Check   []Check           `json:"check"`
	Soft    bool              `json:"soft"` // outside the RFC or disputed: told, never a failure
	Note    string            `json:"note"`
}

// Path leads to a value in a JSON answer: keys, and positions in lists.
type Path []string

// UnmarshalJSON takes a dotted text, or a list of keys where a key itself has dots.
func (p *Path) UnmarshalJSON(b []byte) error {
	var dotted string
	if err := json.Unmarshal(b, &dotted); err == nil {
		*p = strings.Split(dotted, ".")
		return nil
	}
	return json.Unmarshal(b, (*[]string)(p))
}

func (p Path) String() string { return strings.Join(p, ".") }

// in follows the path; ok is false where it leads nowhere.
func (p Path) in(answer any) (value any, ok bool) {
	value = answer
	for _, key := range p {
		switch v := value.(type) {
		case map[string]any:
			if value, ok = v[key]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}

//go:embed exchanges.json
var exchanges []byte

// Exchanges returns the recorded conversations, a copy of its own to each
// caller. It panics if the embedded file is damaged, which only a broken
// build can cause.
func Exchanges() []Scenario {
	var file struct {
		Scenarios []Scenario `json:"scenarios"`
	}
	d := json.NewDecoder(bytes.NewReader(exchanges))
	d.DisallowUnknownFields() // an unknown field would be a check that never fails
	if err := d.Decode(&file); err != nil {
		panic(fmt.Sprintf("simulate: reading the embedded exchanges.json: %v", err))
	}
	return file.Scenarios
}
