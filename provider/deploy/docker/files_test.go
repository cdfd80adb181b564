package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

// An engine is not trusted to name only what it was asked for, and the new container may have another user.
func TestAFolderIsCopiedForAnotherUserOnly(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		headers []tar.Header
		want    []string // type, name, mode; nil if it is refused
	}{
		{"folders and files", []tar.Header{
			{Typeflag: tar.TypeDir, Name: "acme/", Mode: 0o755},
			{Typeflag: tar.TypeDir, Name: "acme/authority/", Mode: 0o755},
			{Typeflag: tar.TypeReg, Name: "acme/authority/account.key", Mode: 0o644},
		}, []string{"5 acme/ 700", "5 acme/authority/ 700", "0 acme/authority/account.key 600"}},
		{"links are left out", []tar.Header{
			{Typeflag: tar.TypeDir, Name: "acme/", Mode: 0o700},
			{Typeflag: tar.TypeSymlink, Name: "acme/x", Linkname: "/etc/shadow"},
		}, []string{"5 acme/ 700"}},
		{"files that are not wanted are left out", []tar.Header{
			{Typeflag: tar.TypeReg, Name: "acme/unwanted"}, {Typeflag: tar.TypeReg, Name: "acme/other"},
		}, []string{"0 acme/other 600"}},
		{"a file beside the folder", []tar.Header{{Typeflag: tar.TypeReg, Name: "session"}}, nil},
		{"a file outside, by dots", []tar.Header{{Typeflag: tar.TypeReg, Name: "acme/../session"}}, nil},
		{"a folder whose name begins alike", []tar.Header{{Typeflag: tar.TypeReg, Name: "acme2/x"}}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var archive, packed bytes.Buffer
			w := tar.NewWriter(&archive)
			for _, h := range row.headers {
				if h.Typeflag == tar.TypeReg {
					h.Size = 4
				}
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
				if h.Typeflag == tar.TypeReg {
					if _, err := w.Write([]byte("text")); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			err := repack(&packed, &archive, "acme", 1000, 1001, func(name string) bool { return name != "unwanted" })
			if (err != nil) != (row.want == nil) {
				t.Fatalf("%v; refused is to be %v", err, row.want == nil)
			}
			if err == nil {
				if got := listed(t, &packed); !slices.Equal(got, row.want) {
					t.Errorf("got %q, want %q", got, row.want)
				}
			}
		})
	}
}

// listed returns what is in an archive of the user 1000:1001.
func listed(t *testing.T, archive io.Reader) (entries []string) {
	t.Helper()
	r := tar.NewReader(archive)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil || h.Uid != 1000 || h.Gid != 1001 || h.Typeflag == tar.TypeReg && string(content) != "text" {
			t.Errorf("%s: %d:%d %q %v", h.Name, h.Uid, h.Gid, content, err)
		}
		entries = append(entries, fmt.Sprintf("%c %s %o", h.Typeflag, h.Name, h.Mode))
	}
}
