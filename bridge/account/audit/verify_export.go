package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
)

// maxLine bounds a line of an export. An event's texts are some hundred bytes.
const maxLine = 1 << 20

var errNoExport = errors.New("this is no export of an audit log: make one with scim-bridge account audit")

// VerifyExport reads an export and gives its events to v. It returns what the export
// says of itself, or nil if it does not. An error means that it could not be read.
func VerifyExport(r io.Reader, v *Verifier) (*Summary, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	lines.Split(wholeLines)
	x := exportReader{Verifier: v, digest: sha256.New()}
	for lines.Scan() {
		if err := x.read(lines.Bytes()); err != nil {
			return nil, err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d has more than %d bytes; %w", x.lines+1, maxLine, errNoExport)
	case err != nil:
		return nil, err
	case x.lines == 0:
		return nil, fmt.Errorf("it is empty; %w", errNoExport)
	}
	x.end()
	return x.summary, nil
}

// wholeLines is bufio.ScanLines that leaves the ends of the lines on: they are compared, too.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

type exportReader struct {
	*Verifier
	lines   int
	events  int64
	digest  hash.Hash
	begin   Link // before the first event
	summary *Summary
}

func (x *exportReader) read(text []byte) error {
	x.lines++
	if x.summary != nil {
		x.report("line %d stands after the last line of the export: it was inserted or moved", x.lines)
		return nil
	}
	var line struct {
		Line
		lastLine
	}
	if err := json.Unmarshal(text, &line); err != nil || line.Export == nil && line.Sequence == 0 {
		if x.lines == 1 {
			return errNoExport
		}
		x.digest.Write(text)
		x.report("line %d is not an event: it was changed or inserted", x.lines)
		return nil
	}
	if line.Export != nil {
		x.summary = line.Export
		x.same(text, line.lastLine)
		return nil
	}
	x.digest.Write(text)
	x.same(text, line.Line)
	e := fromLine(line.Line)
	if x.events++; x.events == 1 {
		x.begin = Link{e.Sequence - 1, line.Previous}
		x.Begin(x.begin)
	}
	x.Add(e, line.Previous)
	return nil
}

// same compares a line with the only text that it may have.
func (x *exportReader) same(text []byte, line any) {
	if want, err := encode(line); err != nil || !bytes.Equal(text, want) {
		x.report("line %d is not written as it was exported: it was changed", x.lines)
	}
}

// end compares what was read with what the export says of itself.
func (x *exportReader) end() {
	s := x.summary
	if s == nil {
		x.report("the export's last line is missing: the file was cut, or the export was interrupted")
		x.finish(x.last, false)
		return
	}
	filtered := s.Filter != nil
	if x.events == 0 {
		x.Begin(s.After)
	} else if !filtered && s.After != x.begin {
		x.missingBefore(s.After)
	}
	x.finish(s.Last, filtered)
	if s.Events != x.events {
		x.report("the export has %d events, and had %d when it was written", x.events, s.Events)
	}
	if digest, err := digestOf(x.digest, *s); err != nil || digest != s.Digest {
		x.report("the digest in the export's last line is not that of the lines before it: a line was changed, " +
			"removed, inserted or moved")
	}
}

// missingBefore reports that the export does not begin where it says.
func (x *exportReader) missingBefore(after Link) {
	if first := x.begin.Sequence + 1; after.Sequence+1 < first {
		x.missing(after.Sequence+1, first-1)
		return
	}
	x.report("the export begins with event %d, and should follow event %d with another hash", x.begin.Sequence+1,
		after.Sequence)
}
