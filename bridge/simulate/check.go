package simulate

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// A Check is one thing that an answer must say.
type Check struct {
	Path     Path
	Operator string
	Value    any
}

// UnmarshalJSON reads [path, operator] or [path, operator, value].
func (c *Check) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) < 2 || len(parts) > 3 {
		return fmt.Errorf("a check has a path, an operator and perhaps a value, not %d parts", len(parts))
	}
	if err := json.Unmarshal(parts[0], &c.Path); err != nil {
		return err
	}
	if err := json.Unmarshal(parts[1], &c.Operator); err != nil {
		return err
	}
	if _, known := operators[c.Operator]; !known {
		return fmt.Errorf("%q is not an operator of a check", c.Operator)
	}
	if len(parts) == 3 {
		return json.Unmarshal(parts[2], &c.Value)
	}
	return nil
}

// operators report whether the value found in an answer is as wanted. Numbers
// are float64 on both sides, as encoding/json reads them.
var operators = map[string]func(answer, got any, found bool, want any) bool{
	"eq":    func(_, got any, found bool, want any) bool { return found && reflect.DeepEqual(got, want) },
	"eqs":   func(_, got any, found bool, want any) bool { return found && fmt.Sprint(got) == fmt.Sprint(want) },
	"set":   func(_, got any, found bool, _ any) bool { return found && got != nil },
	"unset": func(_, got any, _ bool, _ any) bool { return blank(got) },
	"empty": func(_, got any, _ bool, _ any) bool { return blank(got) },
	"len": func(_, got any, _ bool, want any) bool {
		list, ok := got.([]any)
		return ok && float64(len(list)) == want
	},
	"type": func(_, got any, found bool, want any) bool { return found && typeOf(got) == want },
	"pagelen": func(answer, got any, _ bool, _ any) bool {
		resources, _ := Path{"Resources"}.in(answer) // absent on an empty page, RFC 7644, 3.4.2
		list, _ := resources.([]any)
		return got == float64(len(list))
	},
}

// judge returns what is wrong with the answer, or "".
func (c Check) judge(answer any) string {
	got, found := c.Path.in(answer)
	if operators[c.Operator](answer, got, found, c.Value) {
		return ""
	}
	shown := "nothing"
	if list, ok := got.([]any); ok && c.Operator == "len" {
		shown = fmt.Sprintf("a list of %d", len(list))
	} else if found {
		b, _ := json.Marshal(got)
		shown = shorten(string(b), mostShown)
	}
	return fmt.Sprintf("%s is %s, want %s", c.Path, shown, c.want())
}

func (c Check) String() string { return c.Path.String() + " " + c.want() }

func (c Check) want() string {
	if c.Value == nil {
		return c.Operator
	}
	b, _ := json.Marshal(c.Value)
	return c.Operator + " " + string(b)
}

// blank reports whether a value is unassigned in the sense of RFC 7643, 2.5.
func blank(v any) bool {
	list, ok := v.([]any)
	return v == nil || ok && len(list) == 0
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// shorten returns the first characters of a text.
func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}
