package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

const text = "hunter2-hunter2"

// shown has the secret where programs put one.
type shown struct {
	Exported   secret.String
	unexported secret.String
	Pointer    *secret.String
	List       []secret.String
	Map        map[string]secret.String
}

func secrets() shown {
	s := secret.New(text)
	return shown{s, s, &s, []secret.String{s}, map[string]secret.String{"key": s}}
}

func TestNothingPrintsTheText(t *testing.T) {
	t.Parallel()
	s := secrets()
	written := func(write func(*bytes.Buffer)) string {
		var b bytes.Buffer
		write(&b)
		return b.String()
	}
	outputs := map[string]string{
		"JSON": written(func(b *bytes.Buffer) { _ = json.NewEncoder(b).Encode(s) }),
		"XML":  written(func(b *bytes.Buffer) { _ = xml.NewEncoder(b).Encode(s.Exported) }),
		"slog as text": written(func(b *bytes.Buffer) {
			slog.New(slog.NewTextHandler(b, nil)).Info("m", "a", s.Exported, "b", s)
		}),
		"slog as JSON": written(func(b *bytes.Buffer) {
			slog.New(slog.NewJSONHandler(b, nil)).Info("m", "a", s.Exported, "b", s)
		}),
		"hclog as text": written(func(b *bytes.Buffer) {
			hclogger(b, false).Info("m", "a", s.Exported, "b", s, "c", s.List)
		}),
		"hclog as JSON": written(func(b *bytes.Buffer) {
			hclogger(b, true).Info("m", "a", s.Exported, "b", s, "c", s.List)
		}),
		"an error's message": fmt.Errorf("tried %v: %w", s.Exported, errors.New("no")).Error(),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%20s", "%.3s"} {
		outputs[verb+" of the secret"] = fmt.Sprintf(verb, s.Exported)
		outputs[verb+" of its pointer"] = fmt.Sprintf(verb, s.Pointer)
		outputs[verb+" of a struct with it"] = fmt.Sprintf(verb, s)
	}
	for name, out := range outputs {
		if out == "" {
			t.Errorf("%s: nothing was written, so nothing was tested", name)
		}
		for _, leak := range []string{text, text[:7], fmt.Sprintf("%x", text), fmt.Sprintf("%X", text)} {
			if strings.Contains(out, leak) {
				t.Errorf("%s shows the text: %s", name, out)
			}
		}
	}
	for _, name := range []string{
		"JSON", "XML", "slog as text", "hclog as text", "hclog as JSON", "%v of the secret", "%#v of the secret",
		"%x of the secret",
	} {
		if !strings.Contains(outputs[name], secret.Redacted) {
			t.Errorf("%s does not say that something was left out: %s", name, outputs[name])
		}
	}
}

func hclogger(b *bytes.Buffer, asJSON bool) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: b, Level: hclog.Trace, JSONFormat: asJSON})
}

func TestRevealReturnsTheText(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"", text, "\x00\xff"} {
		if got := secret.New(want).Reveal(); got != want {
			t.Errorf("New(%q).Reveal() = %q", want, got)
		}
		if got := secret.New(want).IsZero(); got != (want == "") {
			t.Errorf("New(%q).IsZero() = %t", want, got)
		}
	}
	if got := (secret.String{}).Reveal(); got != "" {
		t.Errorf("the zero secret reveals %q", got)
	}
}

func TestEqualComparesTexts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		a, b secret.String
		want bool
	}{
		{"the same text made twice is equal", secret.New(text), secret.New(text), true},
		{"a prefix is not equal", secret.New(text), secret.New(text[:5]), false},
		{"the zero secret equals an empty one", secret.String{}, secret.New(""), true},
		{"the zero secret equals no text", secret.String{}, secret.New(text), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := row.a.Equal(row.b); got != row.want {
				t.Errorf("Equal = %t, want %t", got, row.want)
			}
		})
	}
}
