package problem

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// packed are the magic numbers of compressed files, with the command to unpack
// those that are not unpacked here.
var packed = []struct {
	magic  string
	open   func(io.Reader) (io.Reader, error)
	unpack string
}{
	{magic: "\x1f\x8b", open: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{magic: "BZh", open: func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
	{magic: "\x28\xb5\x2f\xfd", unpack: "zstd -dc FILE"},
	{magic: "\xfd7zXZ\x00", unpack: "xz -dc FILE"},
	{magic: "PK\x03\x04", unpack: "unzip -p FILE"},
}

// openLog unpacks a log and converts it to UTF-8 according to its byte-order mark.
// It looks at the content, not the name, since a log may come through a pipe.
func openLog(r io.Reader) (io.Reader, error) {
	for depth := 0; ; depth++ {
		b := bufio.NewReader(r)
		head, err := b.Peek(6)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		r = b
		opened := false
		for _, p := range packed {
			if !bytes.HasPrefix(head, []byte(p.magic)) {
				continue
			}
			if p.open == nil || depth > 0 { // unpack only one layer
				return nil, fmt.Errorf("the log is compressed: unpack it first (%s | scim-bridge diagnose)",
					cmp.Or(p.unpack, "gzip -dc FILE"))
			}
			if r, err = p.open(r); err != nil {
				return nil, fmt.Errorf("unpacking the log: %w", err)
			}
			opened = true
		}
		if !opened {
			// PowerShell redirects a program's output as UTF-16.
			return transform.NewReader(r, unicode.BOMOverride(transform.Nop)), nil
		}
	}
}
