package bundle

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Source is what a bundle is made of. Its texts are as the bridge has them: they are redacted here.
type Source struct {
	Made time.Time
	// Documents are written as JSON, each in a file of its name.
	Documents map[string]any
	// Problems are those in the documents; names in them are replaced wherever they are.
	Problems []problem.Problem
	// Keep are texts that stay wherever they are, such as the account's id and host.
	Keep []string
	// Private are texts of the operator's choice, in whose place there is the same pseudonym everywhere.
	Private []string
	// Metrics writes the metrics, and Log the log. Each may be nil.
	Metrics, Log func(io.Writer) error
	Journal      journal.Archive
	// Waiting are the people who wait for something.
	Waiting []bridge.Attention
	// MaxFile is how many bytes of a file are written, 96 MiB if it is zero. Nothing comes near: the log and the
	// journal are bounded by their keepers.
	MaxFile int
	// Missing says why something is not in the bundle, by what it is.
	Missing map[string]string
}

const defaultMaxFile = 96 << 20

// Write writes a bundle. It ends early if ctx does.
func Write(ctx context.Context, w io.Writer, s Source) error {
	names := newPseudonyms(s.Journal, s.Waiting)
	b := &writer{ended: ctx.Err, zip: zip.NewWriter(w), made: s.Made, redactor: newRedactor(names, s.Keep),
		maxFile: cmp.Or(s.MaxFile, defaultMaxFile), missing: map[string]string{}}
	maps.Copy(b.missing, s.Missing)
	if !s.Journal.HasKey() {
		b.missing["The key to the pseudonyms (journal/key)"] = "it could not be read, so the letters in this bundle " +
			"are in no other one, and the operator cannot find whose they are."
	}
	b.learn(s)
	for _, name := range slices.Sorted(maps.Keys(s.Documents)) {
		b.document(name, s.Documents[name])
	}
	if len(s.Waiting) > 0 {
		b.waiting(s.Waiting)
	}
	if s.Metrics != nil {
		b.file("metrics.txt", func(w io.Writer) error { return b.redacted(w, b.metricsLine, s.Metrics) })
	}
	if s.Log != nil {
		log := &lines{redactor: b.redactor}
		b.file("scim-bridge.log", func(w io.Writer) error { return b.redacted(w, log.next, s.Log) })
	}
	b.events("journal/events.jsonl", s.Journal.Events())
	b.events("journal/reads.jsonl", s.Journal.Reads())
	b.events("journal/traffic.jsonl", s.Journal.Traffic())
	b.readme()
	return errors.Join(b.err, b.zip.Close())
}

// A writer writes the files of a bundle. After the first error it writes nothing.
type writer struct {
	ended    func() error // returns why it must end
	zip      *zip.Writer
	made     time.Time
	redactor *redactor
	maxFile  int
	written  []string
	missing  map[string]string // why, by what it is
	err      error
}

// learn tells the redactor the names in problems and of those who wait, which other texts have, too.
func (b *writer) learn(s Source) {
	names := b.redactor.names
	for _, p := range s.Problems {
		for key, value := range p.Details {
			if isAboutPeople(key) {
				names.replaceNames(value, func(name string) string {
					b.redactor.learn(name, names.one(name))
					return ""
				})
			}
		}
	}
	for _, text := range s.Private {
		const least = 6 // a shorter one may be a word of other texts, and is decided on like them
		if len(text) >= least && !vocabulary()[text] {
			b.redactor.learn(text, names.word(text))
		}
	}
	for _, w := range s.Waiting {
		if isAllKnown(w.UserName) { // others are found, word by word
			b.redactor.learn(w.UserName, names.name(w.UserName))
		}
	}
}

// isAllKnown reports whether a name has nothing that is replaced anyway.
func isAllKnown(name string) bool {
	known := true
	eachWord(name, func(word string) { known = known && (vocabulary()[word] || isNumber(word)) })
	return known
}

// isAboutPeople reports whether a member of a document is the name of a person or group.
func isAboutPeople(key string) bool {
	switch key {
	case problem.FactUserName, problem.FactEmail, problem.FactGroup, problem.FactIDs, problem.FactRuleDescription:
		return true
	default:
		return false
	}
}

// file writes a file.
func (b *writer) file(name string, write func(io.Writer) error) {
	if b.err != nil {
		return
	}
	f, err := b.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.made.UTC()})
	if err != nil {
		b.err = err
		return
	}
	limit := &bounded{ended: b.ended, w: f, left: b.maxFile}
	out := bufio.NewWriter(limit)
	err = write(out)
	if flushed := out.Flush(); limit.err != nil || flushed != nil {
		err = cmp.Or(limit.err, flushed)
	} else if err != nil { // of what the file is about: a reason to ask for help
		b.missing[name] = "it ends where it could not be read: " + b.redactor.text(err.Error())
		err = nil
	}
	if errors.Is(err, errTooLong) {
		_, err = fmt.Fprintf(f, "\nThis file ends here, at %d bytes.\n", b.maxFile)
	}
	if b.err = err; err != nil {
		b.err = fmt.Errorf("writing %s: %w", name, err)
	}
	b.written = append(b.written, name)
}

var errTooLong = errors.New("the file is too long")

// A bounded writer ends when ended says so, and after so many bytes. It keeps its error, to tell it from those of
// whoever writes.
type bounded struct {
	ended func() error
	w     io.Writer
	left  int
	err   error
}

func (b *bounded) Write(p []byte) (n int, err error) {
	defer func() { b.err = cmp.Or(b.err, err) }()
	if err := b.ended(); err != nil {
		return 0, err
	}
	if len(p) > b.left {
		return 0, errTooLong
	}
	b.left -= len(p)
	return b.w.Write(p)
}

// document writes a value as JSON.
func (b *writer) document(name string, v any) {
	b.file(name, func(w io.Writer) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		in := json.NewDecoder(bytes.NewReader(text))
		in.UseNumber()
		var tree any
		if err := in.Decode(&tree); err != nil {
			return err
		}
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(b.redactor.tree("", tree))
	})
}

// tree redacts the texts in a JSON value that is the member key of an object.
func (r *redactor) tree(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		redacted := make(map[string]any, len(v))
		setting, _ := v["setting"].(string)
		for k, member := range v {
			of := k
			if k == "value" && setting != "" {
				of = setting
			}
			redacted[r.text(k)] = r.tree(of, member)
		}
		return redacted
	case []any:
		for i, element := range v {
			v[i] = r.tree(key, element)
		}
	case string:
		switch {
		case v == "":
		case isAboutPeople(key) || r.class(key) == personal:
			return r.names.value(v)
		case r.class(key) >= sensitive && !isHarmlessValue(v):
			return hidden
		case r.class(key) == place && codes.MatchString(v):
		default:
			return r.text(v)
		}
	}
	return v
}

// waiting writes who waits for what. It is the one file that has a person's id, userName and address side by side.
func (b *writer) waiting(people []bridge.Attention) {
	type waiting struct {
		Person   string    `json:"person"`
		UserName string    `json:"user_name,omitempty"`
		Address  string    `json:"address,omitempty"`
		Kind     string    `json:"kind"`
		Since    time.Time `json:"since"`
	}
	names := b.redactor.names
	nameOf := func(text string) string {
		if text == "" {
			return ""
		}
		return names.name(text)
	}
	b.file("waiting.jsonl", func(w io.Writer) error {
		out := json.NewEncoder(w)
		for _, p := range people {
			if err := out.Encode(waiting{
				names.id(p.PersonID), nameOf(p.UserName), nameOf(p.Address), string(p.Kind), p.Since.UTC(),
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// events writes events of the journal, if there are any.
func (b *writer) events(name string, events iter.Seq[journal.Event]) {
	next, stop := iter.Pull(events)
	defer stop()
	e, more := next()
	if !more {
		return
	}
	b.file(name, func(w io.Writer) error {
		out := json.NewEncoder(w)
		for ; more; e, more = next() {
			b.redactor.names.event(&e)
			if err := out.Encode(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// event puts pseudonyms into an event. All else in it has a form that no name has.
func (p *pseudonyms) event(e *journal.Event) {
	id := func(text string) string {
		if text == "" {
			return ""
		}
		return p.id(text)
	}
	if e.Subject != "" {
		e.Subject = p.subject(e.Subject)
	}
	e.Person, e.Group = id(e.Person), id(e.Group)
	for _, m := range [...]*journal.Members{e.Added, e.Removed, e.Set} {
		if m != nil {
			for i := range m.IDs {
				m.IDs[i] = id(m.IDs[i])
			}
		}
	}
}

// labelValue matches the value of a label, in which a backslash is before a quotation mark.
var labelValue = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?`)

// metricsLine redacts the values of labels. They are from closed sets, and this makes it certain. Lines that begin with
// # are from the source of the program.
func (b *writer) metricsLine(line string) string {
	if strings.HasPrefix(line, "#") {
		return line
	}
	return labelValue.ReplaceAllStringFunc(line, func(value string) string {
		text := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(strings.Trim(value, `"`))
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(b.redactor.text(text)) + `"`
	})
}

// redacted passes what write writes through redact, line by line.
func (b *writer) redacted(w io.Writer, redact func(string) string, write func(io.Writer) error) error {
	lines := &lineWriter{w: w, redact: redact}
	return cmp.Or(write(lines), lines.flush())
}

// A lineWriter redacts lines.
type lineWriter struct {
	w      io.Writer
	redact func(string) string
	line   []byte // the begin of one
	cut    bool   // what follows in the line is left out
}

// longestLine is how much of a line is shown: the rest, without what is before it, could not be redacted.
const longestLine = 256 << 10

func (l *lineWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n') + 1
		ended := n > 0
		if !ended {
			n = len(p)
		}
		if room := longestLine - len(l.line); !l.cut {
			l.line = append(l.line, p[:min(n, room)]...)
			l.cut = n > room
		}
		p = p[n:]
		if ended {
			if err := l.flush(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

func (l *lineWriter) flush() error {
	text, ended := bytes.CutSuffix(l.line, []byte{'\n'})
	if len(text) == 0 && !ended {
		return nil
	}
	out := l.redact(string(text))
	if l.cut {
		out += " [...]"
	}
	if ended || l.cut {
		out += "\n"
	}
	l.line, l.cut = l.line[:0], false
	_, err := io.WriteString(l.w, out)
	return err
}
