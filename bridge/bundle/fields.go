package bundle

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A class is what the values of a key are.
type class int

const (
	ordinary   class = iota
	place            // codes of countries and continents, which are words nowhere else
	maybeName        // about people or groups, where the key is certainly one: "value" in JSON, group=
	personal         // about people or groups
	sensitive        // secret
	credential       // secret, to the end of the line, as the headers of HTTP
)

var (
	sensitiveKey = regexp.MustCompile(`passw|passphrase|passcode|secret|token|authoriz|cookie|credential|apikey|` +
		`private|signature|bearer|sessionid|sessid`)
	// sensitiveWord are keys that are parts of many other words.
	sensitiveWord = regexp.MustCompile(`(?:^|[._-])(?:pass|phrase|pwd|pin|otp|totp|key|session|sid|jwt|auth|psk)$`)
	// noSecrets are keys that say where a secret is, and codes of problems.
	noSecrets = regexp.MustCompile(`[_-](?:file|files|path|dir|folder|url|fingerprint|rejected|unreadable|expiring|` +
		`expired|invalid|missing|unknown)$`)
	credentials = regexp.MustCompile(`(?:^|[._-])(?:authorization|cookie)$`)
	divided     = strings.NewReplacer("_", "", "-", "")
)

// personalKeys are in lower case, without hyphens and underscores.
var personalKeys = map[string]class{
	"username": personal, "displayname": personal, "nickname": personal, "givenname": personal, "familyname": personal,
	"middlename": personal, "firstname": personal, "lastname": personal, "surname": personal, "fullname": personal,
	"formatted": personal, "externalid": personal, "email": personal, "emails": personal, "emailaddress": personal,
	"login": personal, "upn": personal, "userprincipalname": personal, "groupname": personal, "phonenumbers": personal,
	"mail": maybeName, "ids": maybeName, "name": maybeName, "names": maybeName, "group": maybeName, "groups": maybeName,
	"member": maybeName, "members": maybeName, "user": maybeName, "users": maybeName, "people": maybeName,
	"person": maybeName, "persons": maybeName, "title": maybeName, "value": maybeName, "display": maybeName,
	"manager": maybeName, "department": maybeName, "organization": maybeName, "division": maybeName,
	"cn": maybeName, "commonname": personal, "uid": maybeName, "samaccountname": personal, "mailnickname": personal,
	"streetaddress": personal, "locality": personal, "entitlements": maybeName,
	"country": place, "continent": place, "rulevalues": place,
	"ruledescription": personal, "subject": maybeName,
}

// class returns what the values of a key are.
func (r *redactor) class(key string) class {
	if key == "" {
		return ordinary
	}
	if c, known := r.classes[key]; known {
		return c
	}
	c := classOf(strings.ToLower(key))
	const most = 1 << 12
	if len(r.classes) < most {
		r.classes[key] = c
	}
	return c
}

func classOf(key string) class {
	switch plain := divided.Replace(key); {
	case noSecrets.MatchString(key):
	case credentials.MatchString(key):
		return credential
	case sensitiveKey.MatchString(plain), sensitiveWord.MatchString(key):
		return sensitive
	default:
		return personalKeys[plain[strings.LastIndexByte(plain, '.')+1:]]
	}
	return ordinary
}

// codes matches the codes of countries and continents.
var codes = regexp.MustCompile(`^[A-Z]{2}(?:, [A-Z]{2})*$`)

// harmlessValues are what the program says of secrets.
var harmlessValues = map[string]bool{
	"current": true, "previous": true, "monitoring": true, "set": true, "not set": true, "not": true, "none": true,
	"redacted": true, "true": true, "false": true, hidden: true,
}

// systemError matches why a file with a secret, or a server that wants one, could not be used.
var systemError = regexp.MustCompile(`^(?:(?:open|read|write|stat|lstat|Get|Post|dial \w+) \S+: )?(?:EOF|` +
	`permission denied|unexpected EOF|no such file or directory|is a directory|file already closed|` +
	`context deadline exceeded)$`)

// isHarmlessValue reports whether a value of a sensitive key may be told.
func isHarmlessValue(value string) bool {
	value = strings.Trim(value, ` .,;"'`)
	if value == "" || harmlessValues[value] || systemError.MatchString(value) {
		return true
	}
	if _, err := time.ParseDuration(value); err == nil {
		return true
	}
	_, err := time.Parse(time.RFC3339, value)
	return err == nil
}

// quotes are what the quotation behind a word of a sentence is, where the key alone does not say it.
var quotes = map[string]class{
	"user": personal, "users": personal, "person": personal, "people": personal, "group": personal, "groups": personal,
	"key": ordinary, "session": ordinary, // of JSON, of a folder
}

// A field is a key with its value in a text: key=value, key: value, "key":"value", key eq "value", --key value,
// <key>value</key>, key -> value, the key "value".
type field struct {
	key        string
	class      class
	begin, end int  // of the value, without quotation marks around it
	quoted     bool // the value, in its own quotation marks
	form       form
}

// A form is how a key is written before its value.
type form int

const (
	other  form = iota
	equals      // key=value
	member      // "key": value
	prose       // key: value, or a sentence with a colon
	option      // --key value
)

// markSecrets hides the values of keys that name secrets, whatever they are, and what stands behind the name of a
// scheme of HTTP.
func (d *draft) markSecrets(s string) string {
	return d.eachField(s, func(f field, value string) string {
		if f.class < sensitive || isHarmlessValue(d.clear(value)) || slices.Contains(d.kept, d.clear(value)) {
			return value
		}
		return d.mark(hidden)
	})
}

// markPeople puts pseudonyms in the place of values about people and groups, whatever words they have.
func (d *draft) markPeople(s string) string {
	return d.eachField(s, func(f field, value string) string {
		switch {
		case f.class == place && codes.MatchString(value):
			return d.mark(value)
		case f.class == personal, f.class == maybeName:
			return d.people(f, value)
		default:
			return value
		}
	})
}

// eachField replaces the values of fields. A value that is left as it is may have fields in it.
func (d *draft) eachField(s string, by func(f field, value string) string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		f, found := d.fieldAt(s, i)
		if !found || f.begin < done {
			i++
			continue
		}
		value := s[f.begin:f.end]
		replaced := by(f, value)
		if replaced == value {
			i = max(i+1, f.begin)
			continue
		}
		b.WriteString(s[done:f.begin])
		b.WriteString(replaced)
		done, i = f.end, f.end
	}
	return b.String() + s[done:]
}

var (
	filter = regexp.MustCompile(`^[ +](?i:eq|ne|sw|ew|co|gt|ge|lt|le)[ +]+`)
	scheme = regexp.MustCompile(`^(?:[Bb]earer|BEARER|Basic|BASIC)[ +]+`)
	// jsonLiteral matches a value without quotation marks.
	jsonLiteral = regexp.MustCompile(`^(?:-?[\d.]+|true|false|null)\b`)
	optionName  = regexp.MustCompile(`^--?([A-Za-z][\w.-]*)[ +]+`)
)

// fieldAt returns the field whose divider, or the name of whose scheme, is at i.
func (d *draft) fieldAt(s string, i int) (field, bool) {
	f, found := d.dividerAt(s, i)
	switch {
	case !found:
		return field{}, false
	case f.class == ordinary:
		f.class = d.class(f.key)
	}
	if f.class == credential && f.form == equals { // a field of the log
		f.class = sensitive
	}
	f.begin = len(s) - len(strings.TrimLeft(s[f.begin:], " \t"))
	if f.class == ordinary || f.begin == len(s) {
		return field{}, false
	}
	first, isName := s[f.begin], f.class == personal || f.class == maybeName
	f.setEnd(s)
	switch {
	case f.class == maybeName && f.form == prose && !f.quoted, // "the group: it is managed"
		isName && first == '{': // whose members are fields
		return field{}, false
	case f.quoted, isName && first == '[':
	case isName && f.form == equals: // and has blanks, perhaps
	case f.form == option:
		f.end = f.begin + indexOrEnd(s[f.begin:f.end], " \t")
	case isName:
		f.end = f.begin + indexOrEnd(s[f.begin:f.end], ",;)}]")
	case f.form == member:
		if literal := jsonLiteral.FindString(s[f.begin:f.end]); literal != "" {
			f.end = f.begin + len(literal)
		}
	}
	return f, f.end > f.begin
}

// dividerAt returns a field of which it knows the key and where the value begins, with blanks before it.
func (d *draft) dividerAt(s string, i int) (f field, found bool) {
	next := byte(0)
	if i+1 < len(s) {
		next = s[i+1]
	}
	switch c := s[i]; {
	case c == '=' && (next == '=' || next == '>'):
		return field{key: keyBefore(s[:i]), begin: i + 2, form: equals}, true
	case c == '=' && strings.HasSuffix(s[:i], "]"): // of a list, in which a number is no count
		return field{key: keyBefore(s[:i]), begin: i + 1}, true
	case c == '=':
		return field{key: keyBefore(strings.TrimSuffix(s[:i], ":")), begin: i + 1, form: equals}, true
	case c == ':' && next != '=':
		f = field{key: keyBefore(s[:i]), begin: i + 1, form: prose}
		if before := strings.TrimRight(s[:i], " "); strings.HasSuffix(before, `"`) || strings.HasSuffix(before, "'") {
			f.form = member
		}
		return f, true
	case c == '>':
		f = field{key: keyBefore(strings.TrimSuffix(s[:i], "-")), begin: i + 1}
		return f, strings.HasSuffix(s[:i], "-") || strings.HasSuffix(s[:i], "<"+f.key)
	case (c == ' ' || c == '+') && strings.IndexByte("eEnNsScCgGlL", next) >= 0:
		operator := filter.FindString(s[i:])
		return field{key: keyBefore(s[:i]), begin: i + len(operator)}, operator != ""
	case c == 'B' || c == 'b':
		name := scheme.FindString(s[i:])
		last, _ := utf8.DecodeLastRuneInString(s[:i])
		isProse := c == 'b' && strings.HasPrefix(s[i+len(name):], "token")
		return field{begin: i + len(name), class: sensitive}, name != "" && (i == 0 || !isWordRune(last)) && !isProse
	case strings.HasSuffix(s[:i], " ") && quotation.MatchString(s[i:]):
		f = field{key: keyBefore(s[:i]), begin: i}
		is, known := quotes[strings.ToLower(f.key)]
		if !known {
			is = d.class(f.key)
		}
		f.class = is
		return f, is >= personal
	case c == '-' && !strings.HasSuffix(s[:i], "-"):
		of := optionName.FindStringSubmatch(s[i:])
		if of == nil || d.class(of[1]) < sensitive {
			return field{}, false
		}
		return field{key: of[1], begin: i + len(of[0]), class: sensitive, form: option}, true
	default:
		return field{}, false
	}
}

func indexOrEnd(s, chars string) int {
	if n := strings.IndexAny(s, chars); n >= 0 {
		return n
	}
	return len(s)
}

// index matches that of a list: token[0]=x.
var index = regexp.MustCompile(`\[\d*\]$`)

// keyBefore returns the key at the end of a text, which may be in quotation marks.
func keyBefore(s string) string {
	s = strings.TrimRight(s, " \t")
	if strings.HasSuffix(s, "]") {
		s = index.ReplaceAllString(s, "")
	}
	s = strings.TrimRight(s, "\\\"'`])")
	begin := len(s)
	for begin > 0 && (s[begin-1] == '-' || s[begin-1] == '.' || s[begin-1] == '$' ||
		s[begin-1] < utf8.RuneSelf && isWordRune(rune(s[begin-1]))) {
		begin--
	}
	return s[begin:]
}

var (
	quotation = regexp.MustCompile("^(\\\\*)([\"'`])")
	nextField = regexp.MustCompile(`[\s&][A-Za-z_][\w.-]*=`)
)

// setEnd finds where the value that begins at f.begin ends: at its closing mark or bracket, or else where the quotation
// that it is in ends, before the next field, or with the line. What has no end goes to that of the line.
func (f *field) setEnd(s string) {
	rest := s[f.begin:]
	line := indexOrEnd(rest, "\n")
	if form := quotation.FindStringSubmatch(rest); form != nil {
		f.quoted = true
		f.begin += len(form[0])
		f.end = f.begin + closing(s[f.begin:f.begin+line-len(form[0])], form[2][0], len(form[1]))
		return
	}
	f.end = f.begin + line
	if s[f.begin] == '[' || s[f.begin] == '{' || s[f.begin] == '(' {
		if n := closingBracket(rest[:line]); n > 0 {
			f.end = f.begin + n
			return
		}
	}
	if level := quotationAt(s[:f.begin]); level >= 0 {
		f.end = f.begin + closing(s[f.begin:f.end], '"', level)
	}
	if f.begin > 0 && s[f.begin-1] == '>' {
		if n := strings.Index(s[f.begin:f.end], "</"); n >= 0 {
			f.end = f.begin + n
		}
	}
	if f.class != credential {
		if at := nextField.FindStringIndex(s[f.begin:f.end]); at != nil {
			f.end = f.begin + at[0]
		}
	}
}

// closing returns where a quotation ends: at a mark behind at most so many backslashes that ends a word.
func closing(s string, mark byte, level int) int {
	backslashes := 0
	for i := range len(s) {
		switch {
		case s[i] == '\\':
			backslashes++
			continue
		case s[i] == mark && backslashes <= level &&
			(i+1 == len(s) || backslashes < level || strings.IndexByte(" \t,;:.)]}>&\\\"'`", s[i+1]) >= 0):
			return i - backslashes
		}
		backslashes = 0
	}
	return len(s)
}

// closingBracket returns the length of what is in brackets, with them; 0 if they are not closed.
func closingBracket(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// quotationAt returns how many backslashes are before the marks of the quotation in which a line ends; -1 if it is in
// none.
func quotationAt(s string) int {
	var open []int
	backslashes := 0
	for i := strings.LastIndexByte(s, '\n') + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			backslashes++
			continue
		case '"':
			for len(open) > 0 && open[len(open)-1] > backslashes {
				open = open[:len(open)-1]
			}
			if len(open) > 0 && open[len(open)-1] == backslashes {
				open = open[:len(open)-1]
			} else {
				open = append(open, backslashes)
			}
		}
		backslashes = 0
	}
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}

// marked matches what is decided already.
var marked = regexp.MustCompile(string(markBegin) + `\d+` + string(markEnd))

// clear returns a text with what stands for its marks.
func (d *draft) clear(s string) string {
	if !strings.ContainsRune(s, markBegin) {
		return s
	}
	return marked.ReplaceAllStringFunc(s, func(found string) string { return d.decidedAs(found) })
}

var (
	// listed divides names in a value that is a list, or has what is decided already.
	listed = regexp.MustCompile(string(markBegin) + `\d+` + string(markEnd) + `|[\\"\[\](){}<>,;]+` +
		`|[^` + string(markBegin) + `\\"\[\](){}<>,;]+`)
	// restOfList matches how a list of names ends.
	restOfList = regexp.MustCompile(`^ and (?:\d+ (?:more|others)|one other)$`)
	plural     = regexp.MustCompile(`(?i)(?:s|people)$`)
)

// people puts pseudonyms in the place of the names in a value.
func (d *draft) people(f field, value string) string {
	if !f.quoted && f.form != other && isNumber(value) && plural.MatchString(f.key) && f.class == maybeName &&
		len(value) <= longestNumber {
		return value // a count
	}
	if !strings.ContainsRune(value, markBegin) && !strings.HasPrefix(value, "[") {
		if strings.Trim(value, " .,:;") == "" || value == "null" {
			return value
		}
		return d.mark(d.names.value(value))
	}
	all := listed.FindAllString(value, -1)
	for i, part := range all {
		core := strings.Trim(part, " ")
		isKey := i+1 < len(all) && i > 0 && strings.HasSuffix(all[i-1], `"`) && vocabulary()[core] &&
			strings.HasPrefix(strings.TrimLeft(strings.Join(all[i+1:min(i+3, len(all))], ""), `\"`), ":")
		if isKey || restOfList.MatchString(part) || strings.Trim(part, " .:-/?&#*!+'\\\"[](){}<>,;") == "" ||
			marked.MatchString(part) {
			continue
		}
		at := strings.Index(part, core)
		all[i] = part[:at] + d.mark(d.names.one(core)) + part[at+len(core):]
	}
	return strings.Join(all, "")
}
