package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/client"
)

// errNoFile is the error for a file that is missing in a volume.
var errNoFile = errors.New("no such file in the volume")

// maxFile bounds a file that is read from a volume, and maxFolder a folder that is copied.
const (
	maxFile   = 4 << 20
	maxFolder = 128 << 20
)

// readFile reads a file in the data folder, of a stopped container too.
func readFile(ctx context.Context, c *client.Client, g *generation, name string) ([]byte, error) {
	result, err := c.CopyFromContainer(ctx, g.info.ID,
		client.CopyFromContainerOptions{SourcePath: path.Join(dataDir, name)})
	if isNotFound(err) {
		return nil, errNoFile
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s in the volume of %s: %w", name, g.name(), explain(err))
	}
	defer result.Content.Close()
	archive := tar.NewReader(result.Content)
	if h, err := archive.Next(); err != nil || h.Typeflag != tar.TypeReg {
		return nil, errNoFile
	}
	content, err := io.ReadAll(io.LimitReader(archive, maxFile))
	if err != nil {
		return nil, fmt.Errorf("reading %s in the volume of %s: %w", name, g.name(), err)
	}
	return content, nil
}

// copyFolder copies a folder of the data folder, if there is one, to the volume of another container, for its user
// only: the files whose names within the folder are wanted.
func copyFolder(ctx context.Context, c *client.Client, from, to *generation, name string,
	wanted func(string) bool) error {
	uid, gid, err := parseUser(to.info.Config.User)
	if err != nil {
		return err
	}
	result, err := c.CopyFromContainer(ctx, from.info.ID,
		client.CopyFromContainerOptions{SourcePath: path.Join(dataDir, name)})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s in the volume of %s: %w", name, from.name(), explain(err))
	}
	defer result.Content.Close()
	packed, out := io.Pipe()
	defer packed.Close()
	go func() {
		err := repack(out, io.LimitReader(result.Content, maxFolder), name, uid, gid, wanted)
		if err != nil {
			err = fmt.Errorf("reading %s in the volume of %s: %w", name, from.name(), err)
		}
		out.CloseWithError(err)
	}()
	_, err = c.CopyToContainer(ctx, to.info.ID, client.CopyToContainerOptions{DestinationPath: dataDir,
		Content: packed})
	if err != nil {
		return fmt.Errorf("writing to the volume of %s: %w", to.name(), explain(err))
	}
	return nil
}

// repack writes the folders and the wanted files of an archive as those of another user, who alone may read them. It
// fails for a name outside the folder.
func repack(out io.Writer, archive io.Reader, folder string, uid, gid int, wanted func(string) bool) error {
	r, w := tar.NewReader(archive), tar.NewWriter(out)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		name := path.Clean(h.Name)
		within, isWithin := strings.CutPrefix(name, folder+"/")
		if name != folder && !isWithin {
			return fmt.Errorf("the engine sent %q, which is not in it", h.Name)
		}
		own := &tar.Header{Typeflag: h.Typeflag, Name: h.Name, Uid: uid, Gid: gid, Mode: 0o600, Size: h.Size}
		switch h.Typeflag {
		case tar.TypeDir:
			own.Mode = 0o700
		case tar.TypeReg:
			if !wanted(within) {
				continue
			}
		default:
			continue
		}
		if err := w.WriteHeader(own); err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
}

// anyFile wants all files of a folder.
func anyFile(string) bool { return true }

// writeFiles writes files to the data folder that only the bridge's user may read.
func writeFiles(ctx context.Context, c *client.Client, g *generation, files map[string][]byte) error {
	uid, gid, err := parseUser(g.info.Config.User)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, folder := range foldersOf(files) {
		h := &tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o700, Uid: uid, Gid: gid}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
	}
	for name, content := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: dataName + "/" + name, Mode: 0o600, Uid: uid, Gid: gid,
			Size: int64(len(content))}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err = c.CopyToContainer(ctx, g.info.ID, client.CopyToContainerOptions{DestinationPath: volumeDir,
		Content: &packed})
	if err != nil {
		return fmt.Errorf("writing to the volume of %s: %w", g.name(), explain(err))
	}
	return nil
}

// foldersOf returns the data folder and those of the files within it, outer ones first.
func foldersOf(files map[string][]byte) []string {
	folders := []string{dataName}
	for name := range files {
		for within := path.Dir(name); within != "."; within = path.Dir(within) {
			folders = append(folders, path.Join(dataName, within))
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// parseUser returns the numbers of an image's user.
func parseUser(user string) (uid, gid int, err error) {
	u, g, grouped := strings.Cut(user, ":")
	uid, err = strconv.Atoi(u)
	if err == nil && grouped {
		gid, err = strconv.Atoi(g)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("the image runs as the user %q, which must be a number, as in 65532:65532: the "+
			"owner of the bridge's files cannot be found otherwise", user)
	}
	if !grouped {
		gid = uid
	}
	return uid, gid, nil
}
