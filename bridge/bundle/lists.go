package bundle

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// Problems have the names of several people or groups in one text, in two forms.
var (
	quotedList = regexp.MustCompile(
		`^("(?:[^"\\]|\\.)*"(?:, ?"(?:[^"\\]|\\.)*")*)((?: and \d+ more)?)$`) // by inputtext.QuoteSome
	quotedItem = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	plainRest  = regexp.MustCompile(` and (?:\d+ others|one other)$`)
	plainItem  = regexp.MustCompile(`, | and `)
)

// replaceNames replaces each name in a list, or the only one.
func (p *pseudonyms) replaceNames(list string, by func(name string) string) string {
	text, depth := list, 0
	for ; strings.HasPrefix(text, `\`); depth++ { // a list in a quotation
		inner, err := strconv.Unquote(`"` + text + `"`)
		if err != nil {
			break
		}
		text = inner
	}
	if form := quotedList.FindStringSubmatch(text); form != nil {
		replaced := quotedItem.ReplaceAllStringFunc(form[1], func(item string) string {
			name, err := strconv.Unquote(item)
			if err != nil {
				name = strings.Trim(item, `"`)
			}
			if name == "" {
				return item
			}
			return `"` + by(name) + `"`
		}) + form[2]
		for range depth {
			quoted := strconv.Quote(replaced)
			replaced = quoted[1 : len(quoted)-1]
		}
		return replaced
	}
	if inputtext.TrimBlanks(list) == "" {
		return list
	}
	if p.known(list) != "" {
		return by(list)
	}
	return replacePlainList(list, by)
}

// replacePlainList replaces the names in a list as "ann, bob and 3 others".
func replacePlainList(list string, by func(name string) string) string {
	rest := ""
	if at := plainRest.FindStringIndex(list); at != nil {
		list, rest = list[:at[0]], list[at[0]:]
	}
	var b strings.Builder
	end := 0
	for _, at := range append(plainItem.FindAllStringIndex(list, -1), []int{len(list), len(list)}) {
		if name := list[end:at[0]]; inputtext.TrimBlanks(name) != "" {
			b.WriteString(by(name))
		}
		b.WriteString(list[at[0]:at[1]])
		end = at[1]
	}
	return b.String() + rest
}
