package bundle

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A redactor takes out of a text whatever it does not know to be harmless: it keeps the words of the vocabulary, short
// numbers, times, network addresses and what the bundle's Source names, and puts pseudonyms in the place of the rest.
// A list of what must not be shown would never be complete: names have no form.
//
// What it returns is ASCII. It is not safe for concurrent use.
type redactor struct {
	names   *pseudonyms
	kept    []string             // longest first
	learned map[string][]learned // by their first words
	classes map[string]class     // of keys
}

func newRedactor(names *pseudonyms, keep []string) *redactor {
	r := &redactor{names: names, learned: map[string][]learned{}, classes: map[string]class{}}
	const shortest = 3 // a shorter one would be found in other texts
	for _, text := range keep {
		if len(text) >= shortest {
			r.kept = append(r.kept, text)
		}
	}
	slices.SortFunc(r.kept, longestFirst)
	r.kept = slices.Compact(r.kept)
	return r
}

func longestFirst(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }

// line redacts a text without line breaks.
func (r *redactor) line(s string) string {
	d := &draft{redactor: r}
	s = strings.Map(func(c rune) rune {
		if c == markBegin || c == markEnd {
			return -1
		}
		return c
	}, plain.Replace(strings.ToValidUTF8(s, " ")))
	s = d.markKnown(s)
	s = unescape(s)
	s = d.markKnown(s) // as it was before it was escaped
	s = d.markSecrets(s)
	s = d.markIDs(s)
	s = d.markAddresses(s)
	s = d.markPeople(s)
	s = d.markQuoted(s)
	s = d.markNetworks(s)
	s = d.markPhones(s)
	return d.chunks(s)
}

// plain replaces the signs beyond ASCII that the program's own texts have.
var plain = strings.NewReplacer("…", "...", "“", "\"", "”", "\"", "‘", "'", "’", "'", "–", "-", "—", "-")

// A draft is a text that is being redacted. What is decided already is replaced by marks, which later steps pass over.
type draft struct {
	*redactor
	decided []string
}

// The marks are characters of the private use area, around an index.
const (
	markBegin = '\ue000'
	markEnd   = '\ue001'
)

func (d *draft) mark(text string) string {
	d.decided = append(d.decided, text)
	return string(markBegin) + strconv.Itoa(len(d.decided)-1) + string(markEnd)
}

// decidedAs returns what a mark stands for.
func (d *draft) decidedAs(mark string) string {
	n, err := strconv.Atoi(strings.Trim(mark, string(markBegin)+string(markEnd)))
	if err != nil || n >= len(d.decided) {
		return ""
	}
	return d.decided[n]
}

// markKnown decides on the texts that are known as a whole.
func (d *draft) markKnown(s string) string {
	for _, text := range d.kept {
		s = d.keep(s, text)
	}
	return d.markLearned(s)
}

// inAddress matches what is before the end of an e-mail address's host.
var inAddress = regexp.MustCompile(`@[A-Za-z0-9._-]*$`)

// keep marks a text wherever it is neither part of a longer word nor of an e-mail address.
func (d *draft) keep(s, text string) string {
	if !strings.Contains(s, text) {
		return s
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, text)
		if !found {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if joins(last) || joins(next) || inAddress.MatchString(before) {
			b.WriteString(text)
		} else {
			b.WriteString(d.mark(text))
		}
		s = after
	}
}

// joins reports whether a character beside a text makes it part of a longer one.
func joins(c rune) bool {
	return c != utf8.RuneError && c != markBegin && c != markEnd && (isWordRune(c) || c == '@')
}

func isWordRune(c rune) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
}

var (
	unicodeEscape = regexp.MustCompile(`\\+(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2}))`)
	// controlEscape matches also what is none, a path of Windows: a letter of a name may follow its backslashes.
	controlEscape = regexp.MustCompile(`\b[A-Za-z]:\\[^\s"'<>|:*?]*|\\+[abfnrtv0]`)
	percentEscape = regexp.MustCompile(`(?:%[0-9a-fA-F]{2})+`)
)

// unescape decodes what the log and clients escape, as often as they did. What would divide a line otherwise than
// before becomes a blank or an apostrophe.
func unescape(s string) string {
	const most = 4 // times that something is escaped
	for range most {
		before := s
		if strings.Contains(s, "%") {
			s = percentEscape.ReplaceAllStringFunc(s, func(found string) string {
				var b []byte
				for hex := range strings.SplitSeq(found[1:], "%") {
					n, _ := strconv.ParseUint(hex, 16, 8)
					b = append(b, byte(n))
				}
				return harmless(strings.ToValidUTF8(string(b), "?"))
			})
		}
		if strings.Contains(s, `\`) {
			s = unicodeEscape.ReplaceAllStringFunc(s, func(found string) string {
				n, _ := strconv.ParseUint(strings.TrimLeft(found, `\uUx`), 16, 32)
				if found[strings.LastIndexByte(found, '\\')+1] == 'x' && n >= utf8.RuneSelf {
					return "?" // a byte of what is no text
				}
				return harmless(string(rune(n)))
			})
		}
		if s == before {
			break
		}
	}
	// A letter behind a backslash would make a word of the next one.
	return controlEscape.ReplaceAllStringFunc(s, func(found string) string {
		if found[0] != '\\' {
			return found
		}
		return found[:len(found)-1] + string(rune(found[len(found)-1])) + " "
	})
}

func harmless(s string) string {
	return strings.Map(func(c rune) rune {
		switch c {
		case '"', '\\', '`':
			return '\''
		case markBegin, markEnd:
			return ' '
		default:
			return c
		}
	}, inputtext.Line(s))
}

// quoted are texts in quotation marks, those within others first.
var quoted = []*regexp.Regexp{
	regexp.MustCompile(`(\\+")([^"\\]{2,128})(\\+")`), regexp.MustCompile(`(")([^"\\]{2,128})(")`),
	regexp.MustCompile(`(')([^']{2,128})(')`),
}

// markQuoted decides on quoted names that the journal knows: "Users" is one, and users is not.
func (d *draft) markQuoted(s string) string {
	for i, form := range quoted {
		if !strings.Contains(s, [...]string{`\"`, `"`, `'`}[i]) {
			continue
		}
		s = form.ReplaceAllStringFunc(s, func(found string) string {
			parts := form.FindStringSubmatch(found)
			if strings.ContainsRune(found, markBegin) {
				return found
			}
			if name := d.known(parts[2]); name != "" {
				return parts[1] + d.mark(name) + parts[3]
			}
			return found
		})
	}
	return s
}

// delimiters divide a text into the chunks that are decided on one by one.
const delimiters = " \t\r\n\"'`<>()[]{},;|=\\"

func isDelimiter(c rune) bool {
	return c < ' ' || c == 0x7f || strings.ContainsRune(delimiters, c)
}

// chunks decides on what is left, chunk by chunk.
func (d *draft) chunks(s string) string {
	var b strings.Builder
	var key string // that the next value belongs to
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == markBegin:
			text, rest, _ := strings.Cut(s[i+size:], string(markEnd))
			divide(&b, d.decidedAs(text))
			i, key = len(s)-len(rest), ""
		case isDelimiter(c):
			if c != '=' && c != '"' && c != ' ' || c == ' ' && !strings.HasSuffix(s[:i], ":") {
				key = ""
			}
			if c == 0x7f || c < ' ' && c != '\n' && c != '\t' {
				c = ' '
			}
			b.WriteRune(c)
			i += size
		default:
			n := strings.IndexFunc(s[i:], func(c rune) bool { return isDelimiter(c) || c == markBegin })
			if n < 0 {
				n = len(s) - i
			}
			divide(&b, d.chunk(s[:i], key, s[i:i+n]))
			key = strings.ToLower(strings.TrimSuffix(s[i:i+n], ":"))
			i += n
		}
	}
	return b.String()
}

// divide appends a text, so that it does not become one word with what is before it.
func divide(b *strings.Builder, text string) {
	last, _ := utf8.DecodeLastRuneInString(b.String())
	if next, _ := utf8.DecodeRuneInString(text); last != utf8.RuneError && isWordRune(last) && isWordRune(next) {
		b.WriteByte(' ')
	}
	b.WriteString(text)
}

// chunk decides on a chunk, given the text before it and the key that it is a value of.
func (d *draft) chunk(before, key, c string) string {
	core := strings.TrimRight(c, ".:!?*&")
	tail := c[len(core):]
	switch {
	case core == "":
		return c
	case vocabulary()[core]: // as most are
		return c
	case inputtext.IsOpaqueID(core):
		return d.names.id(core) + tail
	case isRequestID(core) && requestKey.MatchString(before):
		return c
	case isHarmless(core):
		return c
	case isNumber(core):
		switch name := d.known(core); {
		case counted[key]:
			return c
		case name != "" && key == "":
			return name + tail
		case len(core) <= longestNumber && !isQuotedAlone(before):
			return c
		}
		return d.names.word(core) + tail
	case d.known(core) != "":
		return d.known(core) + tail
	case isMaterial(core):
		return hidden + tail
	}
	var b strings.Builder
	for core != "" { // a path or a query has names as parts of it
		n := strings.IndexAny(core[1:], "/:?&#+") + 1
		if n == 0 {
			n = len(core)
		}
		d.segment(&b, core[:n])
		core = core[n:]
	}
	return b.String() + tail
}

// segment decides on a part of a chunk, which may begin with what divides it from the one before.
func (d *draft) segment(b *strings.Builder, s string) {
	if strings.ContainsAny(s[:1], "/?&#+:") {
		b.WriteString(s[:1])
		isPort := s[0] == ':'
		if s = s[1:]; s == "" || isPort && isNumber(s) && len(s) <= longestNumber {
			b.WriteString(s)
			return
		}
	} else if isNumber(s) && len(s) <= longestNumber {
		b.WriteString(s)
		return
	}
	if name := d.known(s); name != "" && !vocabulary()[s] {
		b.WriteString(name)
		return
	}
	eachPart(s, func(part string, word bool) {
		switch {
		case !word, vocabulary()[part], isNumber(part) && len(part) <= longestNumber, isMeasure(part):
			b.WriteString(part)
		default:
			b.WriteString(d.names.word(part))
		}
	})
}

// hidden stands for what may be a secret: a pseudonym would say that two are the same.
const hidden = "[hidden]"

// requestKey matches what is before a request's id: in the log, and in an error of the account.
var requestKey = regexp.MustCompile(`\brequest[_ ]id[= ]$`)

const longestNumber = 5

func isRequestID(s string) bool {
	return len(s) == 26 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// counted are fields whose values are counts or sizes, of any length.
var counted = map[string]bool{
	"bytes": true, "ms": true, "count": true, "pid": true, "size": true, "commits": true, "writes": true,
	"failures": true,
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isQuotedAlone reports whether a number stands directly behind a quotation mark, as names do in errors.
func isQuotedAlone(before string) bool {
	return strings.HasSuffix(before, `\"`) || strings.HasSuffix(before, "'") ||
		strings.HasSuffix(before, `"`) && !strings.HasSuffix(before, `="`)
}

var (
	measure = regexp.MustCompile(`^\d{1,5}(?:ns|us|ms|s|m|h|d|B|KB|MB|GB|KiB|MiB|GiB)$`)
	hex     = regexp.MustCompile(`^\+?0x[0-9a-f]{1,12}$`)
)

func isMeasure(s string) bool { return measure.MatchString(s) }

// isHarmless reports whether s is a time, a duration, a network address or an address in memory.
func isHarmless(s string) bool {
	if !strings.Contains(":+0123456789abcdefABCDEF", s[:1]) || !strings.ContainsAny(s, ":0123456789") {
		return false // as most are
	}
	if hex.MatchString(s) {
		return true
	}
	if _, err := time.ParseDuration(s); err == nil {
		return len(s) <= 20
	}
	for _, layout := range [...]string{time.RFC3339Nano, time.DateOnly, time.TimeOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return layout == time.TimeOnly || !mayBeBirth(at)
		}
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Zone() == ""
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.IsValid()
	}
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Addr().Zone() == ""
}

// mayBeBirth reports whether a time is before this program was, and not the zero time.
func mayBeBirth(at time.Time) bool { return at.Year() < 2020 && at.Year() > 1 }

// isMaterial reports whether s is long and has what words have not, as tokens, keys and encoded data do.
func isMaterial(s string) bool {
	const least = 20
	if len(s) < least || strings.Contains(s, "/") && strings.Count(s, "/") > len(s)/least {
		return false
	}
	known := true
	eachWord(s, func(word string) { known = known && (vocabulary()[word] || isNumber(word)) })
	return !known && strings.ContainsAny(s, "0123456789") && strings.ContainsFunc(s, func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	})
}

// eachWord calls f with the words of a text.
func eachWord(s string, f func(string)) {
	eachPart(s, func(part string, word bool) {
		if word {
			f(part)
		}
	})
}

// eachPart calls f with the words of a text and with what is between them.
func eachPart(s string, f func(part string, word bool)) {
	for s != "" {
		first, _ := utf8.DecodeRuneInString(s)
		word := isWordRune(first)
		n := strings.IndexFunc(s, func(c rune) bool { return isWordRune(c) != word })
		if n < 0 {
			n = len(s)
		}
		f(s[:n], word)
		s = s[n:]
	}
}
