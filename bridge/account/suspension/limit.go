package suspension

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// DefaultLimit is the text of the limit that holds unless another one is set.
const DefaultLimit = "max(10, 5%)/1h"

// maxLeast bounds a limit.
const maxLeast = 1_000_000_000

// MaxWindow is the longest time that a limit counts over.
const MaxWindow = 30 * 24 * time.Hour

// A Limit is how many withdrawals of access are carried out within a window of
// time: Least, or Percent of all there are to withdraw, whichever is more. Its
// zero value allows none.
type Limit struct {
	Off     bool // there is no limit
	Least   int64
	Percent int64
	Window  time.Duration
}

var form = regexp.MustCompile(`^max\(([0-9]{1,10}), ([0-9]{1,3})%\)/([1-9][0-9]{0,5})([mh])$`)

// ParseLimit reads a limit: "off", or "max(10, 5%)/1h" for ten or 5 %, whichever
// is more, within one hour. The empty text is DefaultLimit.
func ParseLimit(text string) (Limit, error) {
	switch text {
	case "off":
		return Limit{Off: true}, nil
	case "":
		text = DefaultLimit
	}
	parts := form.FindStringSubmatch(text)
	if parts == nil {
		return Limit{}, fmt.Errorf("the suspension limit %.60q must be %q or like %q", text, "off", DefaultLimit)
	}
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour}[parts[4]]
	l := Limit{Least: number(parts[1]), Percent: number(parts[2]), Window: time.Duration(number(parts[3])) * unit}
	switch {
	case l.Least > maxLeast:
		return Limit{}, fmt.Errorf("the suspension limit %q allows %d at least; choose at most %d, or %q",
			text, l.Least, int64(maxLeast), "off")
	case l.Percent > 100:
		return Limit{}, fmt.Errorf("the suspension limit %q has %d%%; choose 0%% to 100%%", text, l.Percent)
	case l.Window > MaxWindow:
		return Limit{}, fmt.Errorf("the suspension limit %q counts over more than %d hours; choose a shorter time",
			text, int64(MaxWindow.Hours()))
	}
	return l, nil
}

// number reads digits that the form admits.
func number(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		panic(err) // the form has at most ten digits
	}
	return n
}

// Allowed returns how many withdrawals a window may have if there are so many
// things to withdraw. A percentage is rounded down.
func (l Limit) Allowed(of int64) int64 { return max(l.Least, max(0, of)*l.Percent/100) }
