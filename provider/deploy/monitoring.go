package deploy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Monitoring is the token with which a monitor reads the bridge's /health and /metrics.
type Monitoring struct {
	// Version is the number that is changed with the token; nil if there is none.
	Version *int64 `json:"version,omitempty"`
	// Token is zero in an observed Spec.
	Token MonitoringToken `json:"-"`
}

// A MonitoringToken is a secret, which prints as "[redacted]".
type MonitoringToken struct{ text *string }

// The length of a MonitoringToken. Requests with wrong ones are not slowed down, so a short one could
// be guessed.
const (
	MinMonitoringToken = 16
	MaxMonitoringToken = 512
)

// ParseMonitoringToken refuses what a monitor could not send, or a stranger could guess. Its errors do
// not quote the text.
func ParseMonitoringToken(text string) (MonitoringToken, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return MonitoringToken{}, errors.New("the monitoring token is empty: set it, or leave it out, or use null")
	case strings.TrimSpace(text) != text:
		return MonitoringToken{}, errors.New("the monitoring token begins or ends with white space, as the content " +
			"of a file may: use trimspace(...)")
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return MonitoringToken{}, errors.New("the monitoring token has blanks, line ends or characters outside " +
			"ASCII, which an Authorization header cannot carry: use letters, digits and punctuation")
	case len(text) < MinMonitoringToken || len(text) > MaxMonitoringToken:
		return MonitoringToken{}, fmt.Errorf("the monitoring token has %d characters and must have %d to %d: generate "+
			"one, for instance with scim-bridge token", len(text), MinMonitoringToken, MaxMonitoringToken)
	}
	return MonitoringToken{&text}, nil
}

// Reveal returns the text.
func (t MonitoringToken) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// IsZero reports whether there is none.
func (t MonitoringToken) IsZero() bool { return t.text == nil }

const redacted = "[redacted]"

// Format writes "[redacted]" under every verb.
func (MonitoringToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns "[redacted]".
func (MonitoringToken) String() string { return redacted }

// MarshalText returns "[redacted]".
func (MonitoringToken) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Mark returns a text by which IsMarked recognizes the token where it is stored, so that a change by
// other means is seen. It must be stored beside the token only: a token with little entropy can be
// found from it.
func (t MonitoringToken) Mark() string {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	return markWith(hex.EncodeToString(salt), t.Reveal())
}

// IsMarked reports whether a stored text is the token of a mark.
func IsMarked(mark, stored string) bool {
	salt, _, ok := strings.Cut(mark, ":")
	return ok && stored != "" && hmac.Equal([]byte(mark), []byte(markWith(salt, strings.TrimSpace(stored))))
}

func markWith(salt, text string) string {
	sum := hmac.New(sha256.New, []byte(salt))
	sum.Write([]byte(text))
	return salt + ":" + hex.EncodeToString(sum.Sum(nil))
}

// OrStored returns the monitoring token to write: the stored one, if it is the one that was written and
// either m has none or the versions are equal. So a version, if there is one, alone decides: an ephemeral
// token may be new in every run. Recorded and mark are those of the stored one.
func (m *Monitoring) OrStored(recorded *Monitoring, mark, stored string) *Monitoring {
	if m == nil || !IsMarked(mark, stored) || !m.Token.IsZero() && !m.hasVersionOf(recorded) {
		return m
	}
	token, err := ParseMonitoringToken(strings.TrimSpace(stored))
	if err != nil {
		return m
	}
	return &Monitoring{Version: m.Version, Token: token}
}

func (m *Monitoring) hasVersionOf(other *Monitoring) bool {
	return other != nil && m.Version != nil && other.Version != nil && *m.Version == *other.Version
}

// ErrNoMonitoringToken is the error for a monitoring token that is not known and must be written.
var ErrNoMonitoringToken = errors.New("the bridge's monitoring token is missing or was changed: run terraform apply " +
	"with settings.monitoring_token_wo")
