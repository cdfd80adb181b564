package deploy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const aMonitoringToken = "a-monitoring-token-of-a-test"

func TestWhatIsAMonitoringToken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"a text", aMonitoringToken, ""},
		{"a bearer token", "sbt1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""},
		{"punctuation", `p!"#$%&'()*+,-./:;<=>?@[\]^_{|}~`, ""},
		{"the shortest", strings.Repeat("x", 16), ""},
		{"the longest", strings.Repeat("x", 512), ""},
		{"nothing", "", "is empty"},
		{"blanks alone", " \n ", "is empty"},
		{"one that is too short", "monitoring-toke", "15 characters and must have 16 to 512"},
		{"one that is too long", strings.Repeat("x", 513), "513 characters"},
		{"a blank at its begin", " " + aMonitoringToken, "trimspace"},
		{"the content of a file", aMonitoringToken + "\n", "trimspace"},
		{"the content of a file of Windows", aMonitoringToken + "\r\n", "trimspace"},
		{"a blank within", "a monitoring token", "blanks"},
		{"a tab within", "a\tmonitoring-token", "blanks"},
		{"two lines", "monitoring-token\nmonitoring-token", "line ends"},
		{"a control character", "monitoring-token\x00", "blanks"},
		{"a letter outside ASCII", "überwachung-monitoring", "ASCII"},
	} {
		token, err := ParseMonitoringToken(row.text)
		switch {
		case row.want == "":
			if err != nil || token.Reveal() != row.text || token.IsZero() {
				t.Errorf("%s: %v", row.name, err)
			}
		case err == nil || !strings.Contains(err.Error(), row.want) || !token.IsZero():
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		case len(row.text) > 5 && strings.Contains(err.Error(), row.text):
			t.Errorf("%s: the error shows it: %v", row.name, err)
		}
	}
}

func parsed(t *testing.T, text string) MonitoringToken {
	t.Helper()
	token, err := ParseMonitoringToken(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAMonitoringTokenDoesNotPrintItself(t *testing.T) {
	t.Parallel()
	spec := Spec{Monitoring: &Monitoring{Version: new(int64(3)), Token: parsed(t, aMonitoringToken)}}
	encoded, err := json.Marshal(spec.Monitoring)
	if err != nil || string(encoded) != `{"version":3}` {
		t.Errorf("JSON has %s (%v)", encoded, err)
	}
	direct, err := json.Marshal(map[string]any{"token": spec.Monitoring.Token})
	if err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s %q %x", *spec.Monitoring, *spec.Monitoring, *spec.Monitoring, spec.Monitoring.Token,
			spec.Monitoring.Token, spec.Monitoring.Token),
		fmt.Sprintf("%+v", spec), spec.Monitoring.Token.String(), string(direct),
	} {
		if strings.Contains(text, aMonitoringToken) || strings.Contains(text, fmt.Sprintf("%x", aMonitoringToken)) {
			t.Errorf("it shows itself: %s", text)
		}
	}
}

func TestWhichMonitoringTokenIsWritten(t *testing.T) {
	t.Parallel()
	const stored = "the-stored-monitoring-token"
	given, mark := parsed(t, aMonitoringToken), parsed(t, stored).Mark()
	for _, row := range []struct {
		name          string
		asked         *Monitoring
		recorded      *Monitoring
		mark, content string
		want          string
	}{
		{"none", nil, &Monitoring{}, mark, stored, ""},
		{"a first one", &Monitoring{Token: given}, nil, "", "", aMonitoringToken},
		{"the version is the same", &Monitoring{new(int64(1)), given}, &Monitoring{Version: new(int64(1))}, mark,
			stored + "\n", stored},
		{"the version is another", &Monitoring{new(int64(2)), given}, &Monitoring{Version: new(int64(1))}, mark, stored,
			aMonitoringToken},
		{"there is a version now", &Monitoring{new(int64(1)), given}, &Monitoring{}, mark, stored, aMonitoringToken},
		{"there is no version", &Monitoring{nil, given}, &Monitoring{}, mark, stored, aMonitoringToken},
		{"there is no version any more", &Monitoring{nil, given}, &Monitoring{Version: new(int64(1))}, mark, stored,
			aMonitoringToken},
		{"the stored one was edited", &Monitoring{new(int64(1)), given}, &Monitoring{Version: new(int64(1))}, mark,
			"edited", aMonitoringToken},
		{"the stored one is gone", &Monitoring{new(int64(1)), given}, &Monitoring{Version: new(int64(1))}, mark, "",
			aMonitoringToken},
		{"none is given, as by a redeployment", &Monitoring{}, &Monitoring{}, mark, stored, stored},
		{"none is given, and the stored one was edited", &Monitoring{}, &Monitoring{}, mark, "edited", ""},
	} {
		got := row.asked.OrStored(row.recorded, row.mark, row.content)
		if (got == nil) != (row.asked == nil) || got != nil && (got.Token.Reveal() != row.want ||
			got.Version != row.asked.Version) {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestAMarkRecognizesItsToken(t *testing.T) {
	t.Parallel()
	token := parsed(t, aMonitoringToken)
	mark := token.Mark()
	for _, row := range []struct {
		name, mark, stored string
		want               bool
	}{
		{"its own", mark, aMonitoringToken, true},
		{"a file with it", mark, aMonitoringToken + "\n", true},
		{"another", mark, "another-monitoring-token", false},
		{"an empty file", mark, "", false},
		{"no mark", "", aMonitoringToken, false},
		{"a damaged mark", strings.Replace(mark, ":", "", 1), aMonitoringToken, false},
		{"a mark under another salt", "00" + mark[2:], aMonitoringToken, mark[:2] == "00"},
	} {
		if got := IsMarked(row.mark, row.stored); got != row.want {
			t.Errorf("%s: %t", row.name, got)
		}
	}
	if other := token.Mark(); other == mark {
		t.Error("two marks of a token are equal, which tells that two bridges have the same one")
	}
	if strings.Contains(mark, aMonitoringToken) {
		t.Errorf("the mark shows the token: %s", mark)
	}
}
