package suspension_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
)

func TestParseLimit(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		want       suspension.Limit
		refused    string
	}{
		{"the default", suspension.DefaultLimit, suspension.Limit{Least: 10, Percent: 5, Window: time.Hour}, ""},
		{"no text is the default", "", suspension.Limit{Least: 10, Percent: 5, Window: time.Hour}, ""},
		{"no limit", "off", suspension.Limit{Off: true}, ""},
		{"minutes", "max(3, 100%)/30m", suspension.Limit{Least: 3, Percent: 100, Window: 30 * time.Minute}, ""},
		{"nothing passes", "max(0, 0%)/1h", suspension.Limit{Window: time.Hour}, ""},
		{"the longest window", "max(1, 1%)/720h", suspension.Limit{Least: 1, Percent: 1, Window: 720 * time.Hour}, ""},
		{"a longer window", "max(1, 1%)/721h", suspension.Limit{}, "720 hours"},
		{"a window that overflows", "max(1, 1%)/999999999h", suspension.Limit{}, "must be"},
		{"a window of nothing", "max(1, 1%)/0h", suspension.Limit{}, "must be"},
		{"a window without a unit", "max(1, 1%)/1", suspension.Limit{}, "must be"},
		{"days", "max(1, 1%)/1d", suspension.Limit{}, "must be"},
		{"more than all", "max(1, 101%)/1h", suspension.Limit{}, "0% to 100%"},
		{"a number that overflows", "max(99999999999999999999, 1%)/1h", suspension.Limit{}, "must be"},
		{"a number that is no count of people", "max(1000000001, 1%)/1h", suspension.Limit{}, "at most 1000000000"},
		{"a negative number", "max(-1, 1%)/1h", suspension.Limit{}, "must be"},
		{"a number alone", "10", suspension.Limit{}, "must be"},
		{"no percentage", "max(10, 5)/1h", suspension.Limit{}, "must be"},
		{"other blanks", "max(10,5%)/1h", suspension.Limit{}, "must be"},
		{"blanks around", " off", suspension.Limit{}, "must be"},
		{"a line more", "off\n", suspension.Limit{}, "must be"},
		{"capital letters", "OFF", suspension.Limit{}, "must be"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := suspension.ParseLimit(row.text)
			if got != row.want {
				t.Errorf("%q: %+v, want %+v", row.text, got, row.want)
			}
			if (err == nil) != (row.refused == "") || err != nil && !strings.Contains(err.Error(), row.refused) {
				t.Errorf("%q: error %v, want one with %q", row.text, err, row.refused)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	limit := suspension.Limit{Least: 10, Percent: 5, Window: time.Hour}
	for of, want := range map[int64]int64{-1: 10, 0: 10, 200: 10, 219: 10, 220: 11, 239: 11, 5000: 250} {
		if got := limit.Allowed(of); got != want {
			t.Errorf("of %d: %d, want %d", of, got, want)
		}
	}
}
