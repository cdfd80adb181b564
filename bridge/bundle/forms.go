package bundle

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// idLike matches ids, wherever they are.
var idLike = regexp.MustCompile(
	`\b(?:[a-z2-7]{26}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})\b`)

func (d *draft) markIDs(s string) string {
	const shortest = 26
	longest, n := 0, 0
	for i := range len(s) { // most texts have none, and looking for one takes long
		if c := s[i]; c == '-' || c < utf8.RuneSelf && isWordRune(rune(c)) {
			n++
		} else {
			n = 0
		}
		longest = max(longest, n)
	}
	if longest < shortest {
		return s
	}
	return idLike.ReplaceAllStringFunc(s, func(found string) string { return d.mark(d.names.id(found)) })
}

var (
	// userInfo matches a name with a password in a URL.
	userInfo = regexp.MustCompile(`://[^\s"'<>/@` + "`\ue000\ue001" + `]*:[^\s"<>/` + "`\ue000\ue001" + `]*@`)
	// addressLike matches an e-mail address, as far as it has no blanks but those in quotation marks, and what is
	// before and behind it in a path or a query.
	addressLike = regexp.MustCompile(`(?:\\*"[^"\\` + "\ue000\ue001" + `]{1,64}\\*"|` +
		`[^\s"<>()\[\]{},;:=\\|` + "`\ue000\ue001" + `]*)@[^\s"'<>()\[\]{},;:=\\|` + "`\ue000\ue001" + `]*`)
	// addressBegins matches what ends before an address.
	addressBegins = regexp.MustCompile(`^(?:.*[/?&#])?(?:(?:.*[^\pL\d])?')?[./?&!*+-]*`)
)

func (d *draft) markAddresses(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	s = userInfo.ReplaceAllStringFunc(s, func(string) string { return "://" + d.mark(hidden+"@") })
	return addressLike.ReplaceAllStringFunc(s, func(found string) string {
		address := strings.Trim(found, `'./?&!*+-`)
		if d.known(address) == "" {
			at := strings.LastIndexByte(address, '@')
			local, host := address[:at], address[at+1:]
			if !strings.HasSuffix(local, `"`) {
				local = local[len(addressBegins.FindString(local)):]
			}
			host = strings.TrimRight(host[:indexOrEnd(host, "/?&#%+")], ".!*-")
			if local == "" && host == "" {
				return found
			}
			address = local + "@" + host
		}
		at := strings.Index(found, address)
		return found[:at] + d.mark(d.names.name(address)) + found[at+len(address):]
	})
}

var (
	network = regexp.MustCompile(`\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2}|:\d{1,5})?`)
	// moment matches a time, as the log, Go's own log and certificates have it.
	moment = regexp.MustCompile(`\b\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?`)
)

// markNetworks keeps network addresses and times, which would look like telephone numbers.
func (d *draft) markNetworks(s string) string {
	keep := func(s string, form *regexp.Regexp, is func(string) bool) string {
		var b strings.Builder
		done := 0
		for _, at := range form.FindAllStringIndex(s, -1) {
			last, _ := utf8.DecodeLastRuneInString(s[:at[0]])
			next, _ := utf8.DecodeRuneInString(s[at[1]:])
			if joins(last) || strings.ContainsRune("+.-/", last) || joins(next) || !is(s[at[0]:at[1]]) {
				continue
			}
			if next == '.' || next == '-' || next == '/' {
				after, _ := utf8.DecodeRuneInString(s[at[1]+1:])
				if joins(after) {
					continue
				}
			}
			b.WriteString(s[done:at[0]])
			b.WriteString(d.mark(s[at[0]:at[1]]))
			done = at[1]
		}
		return b.String() + s[done:]
	}
	s = keep(s, moment, func(text string) bool {
		at, err := time.Parse(time.DateOnly, strings.ReplaceAll(text[:len(time.DateOnly)], "/", "-"))
		return err == nil && !mayBeBirth(at)
	})
	return keep(s, network, isNetwork)
}

func isNetwork(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(s)
	return err == nil
}

var (
	// phoneLike matches a number in groups.
	phoneLike  = regexp.MustCompile(`\+?\(?\d{1,5}\)?(?:[ /().-]{1,3}\d{2,12})+`)
	firstGroup = regexp.MustCompile(`^\+?\(?\d+`)
	decimal    = regexp.MustCompile(`^\d+\.\d+$`)
)

// markPhones decides on numbers of seven digits and more in groups: telephone numbers, those of cards and accounts,
// dates of birth, codes.
func (d *draft) markPhones(s string) string {
	if !mayHavePhone(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		at := phoneLike.FindStringIndex(s)
		if at == nil {
			break
		}
		number := s[at[0]:at[1]]
		last, _ := utf8.DecodeLastRuneInString(s[:at[0]])
		if at[0] == 0 {
			last, _ = utf8.DecodeLastRuneInString(b.String())
		}
		next, _ := utf8.DecodeRuneInString(s[at[1]:])
		if joins(last) || joins(next) || countDigits(number) < 7 || decimal.MatchString(number) {
			n := at[0] + len(firstGroup.FindString(number)) // what follows may be one
			b.WriteString(s[:n])
			s = s[n:]
			continue
		}
		b.WriteString(s[:at[0]])
		b.WriteString(d.mark(d.names.word(number)))
		s = s[at[1]:]
	}
	return b.String() + s
}

// mayHavePhone reports whether two digits have something like a blank between them.
func mayHavePhone(s string) bool {
	for i := 1; i+1 < len(s); i++ {
		if isDigit(s[i]) || !isDigit(s[i-1]) {
			continue
		}
		for n := i; n < len(s) && strings.IndexByte(" /().-", s[n]) >= 0; n++ {
			if n+1 < len(s) && isDigit(s[n+1]) {
				return true
			}
		}
	}
	return false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func countDigits(s string) (n int) {
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}
