package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

type bundleCommand struct {
	Output    string `short:"o" placeholder:"FILE" help:"File to write (its name has the time); - is standard output."`
	URL       string `name:"url" placeholder:"URL" help:"Address of a bridge elsewhere."`
	TokenFile string `placeholder:"FILE" help:"With --url: file with its bearer token."`
	Pseudonym string `placeholder:"NAME" help:"Only print what stands for this address, id, name or group in bundles."`

	DataDir string `arg:"" optional:"" default:"${data_dir}" help:"Data folder of the bridge (${default})."`
}

// Help implements kong.HelpProvider.
func (bundleCommand) Help() string {
	return `A support bundle is a ZIP file for somebody who helps: log, journal, health, metrics, versions and
configuration. No secret is in it, and people and groups are in it under pseudonyms. README.txt in it says
what else is in it and what is not. A file that is there already is not replaced.

  scim-bridge support-bundle -o bundle.zip /var/lib/scim-bridge
  scim-bridge support-bundle -o bundle.zip --url https://scim.example.com --token-file bearer-token

A bridge on this machine is asked over its control socket, sealed or not. Of one that does not run, the log and the
journal are read. By --url, a bridge whose account has not confirmed the token gives health and metrics alone.

Which pseudonyms has this person? An id has one of its own, and so has each name.

  scim-bridge support-bundle --pseudonym ann@example.com /var/lib/scim-bridge`
}

// Validate is called by kong.
func (b *bundleCommand) Validate() error {
	err := checkDataDir(b.DataDir)
	switch {
	case b.URL != "" && b.TokenFile == "":
		err = errors.Join(err, errors.New("--url needs --token-file: a support bundle needs the bearer token"))
	case b.URL == "" && b.TokenFile != "" && b.TokenFile != os.Getenv("SCIMBRIDGE_TOKEN_FILE"): // may be set for others
		err = errors.Join(err, errors.New("--token-file is for --url: a bridge on this machine needs no token"))
	case b.Pseudonym != "" && (b.URL != "" || b.Output != ""):
		err = errors.Join(err, errors.New("--pseudonym goes with DATA_DIR alone: the key to pseudonyms is there"))
	}
	return err
}

// bundleTimeout bounds how long it takes to get a bundle.
const bundleTimeout = 10 * time.Minute

// Run writes a bundle.
func (b *bundleCommand) Run(ctx context.Context, c *console) error {
	if b.Pseudonym != "" {
		return b.printPseudonym(c)
	}
	ctx, cancel := context.WithTimeout(ctx, bundleTimeout)
	defer cancel()
	if b.Output == "-" {
		if isTerminal(c.Out) {
			return &exit{exitUsage, errors.New("a ZIP file is not for a terminal: send standard output to a file, " +
				"or name one with -o")}
		}
		return b.fetch(ctx, c.Out)
	}
	path := b.Output
	if path == "" {
		path = "scim-bridge-support-" + time.Now().UTC().Format("20060102T150405Z") + ".zip"
	}
	if _, err := os.Lstat(path); err == nil { // before the bridge works for nothing
		return errExists(path)
	}
	err := durable.CreateFileFrom(path, func(f *os.File) error {
		if err := b.fetch(ctx, f); err != nil {
			return err
		}
		return checkZIP(f)
	})
	switch {
	case errors.Is(err, fs.ErrExist):
		return errExists(path)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(c.Out, "wrote %s; README.txt in it says what is in it and what is not\n", path)
	return err
}

func errExists(path string) error {
	return fmt.Errorf("%q is there already and was not replaced: name another file with -o", path)
}

// checkZIP refuses what was not sent completely.
func checkZIP(f *os.File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := zip.NewReader(f, size); err != nil {
		return fmt.Errorf("what the bridge sent is not a complete ZIP file: %w", err)
	}
	return nil
}

// fetch writes the bundle of the bridge at the URL or in the data folder.
func (b *bundleCommand) fetch(ctx context.Context, w io.Writer) error {
	if b.URL != "" {
		return b.download(ctx, w)
	}
	err := control.Dial(filepath.Join(b.DataDir, control.SocketName)).SupportBundle(ctx, w)
	refusal, refused := errors.AsType[*control.Error](err)
	switch {
	case refused && refusal.Status == http.StatusNotFound:
		return b.fromFolder(ctx, w, "the bridge is older than this program, and could not be asked")
	case errors.Is(err, control.ErrNotRunning):
		return b.fromFolder(ctx, w, "no bridge was running in the data folder")
	default:
		return err
	}
}

// fromFolder makes a bundle of what a bridge has left in its data folder.
func (b *bundleCommand) fromFolder(ctx context.Context, w io.Writer, reason string) error {
	if err := b.checkFolder(); err != nil {
		return err
	}
	program := readVersions()
	lines := keptlog.Open(keptlog.Config{
		Folder: filepath.Join(b.DataDir, keptLogFolder), MaxBytes: keptLogBytes, MaxAge: keptLogAge,
	})
	defer lines.Close()
	return bundle.Write(ctx, w, bundle.Source{
		Made:      time.Now(),
		Documents: map[string]any{"versions.json": program},
		Keep:      program.texts(),
		Log:       func(w io.Writer) error { _, err := lines.WriteTo(w); return err },
		Journal:   journal.OpenArchive(b.DataDir),
		Missing: map[string]string{
			"Health, status, configuration and metrics":  reason + ".",
			"The version of the bridge in versions.json": "it is that of the program that made the bundle.",
		},
	})
}

// checkFolder refuses a folder in which no bridge was.
func (b *bundleCommand) checkFolder() error {
	for _, name := range []string{journal.Folder, keptLogFolder} {
		if _, err := os.Stat(filepath.Join(b.DataDir, name)); err == nil {
			return nil
		}
	}
	return errors.New("no bridge is running there, and the folder has neither a journal nor a log: name the data " +
		"folder of a bridge, the value of its --data-dir")
}

// download gets the bundle of a bridge elsewhere.
func (b *bundleCommand) download(ctx context.Context, w io.Writer) error {
	token, err := readSecret("--token-file", b.TokenFile, toStandardError)
	if err != nil {
		return err
	}
	errAddress := errors.New("--url is not an address; it must look like https://scim.example.com")
	address, err := url.JoinPath(b.URL, "app", "support-bundle")
	if err != nil {
		return errAddress
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return errAddress
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the bridge: %w", err)
	}
	defer resp.Body.Close()
	switch location := resp.Header.Get("Location"); {
	case resp.StatusCode == http.StatusSeeOther && location == "/app":
		return errors.New("the bridge is older than support bundles: update it, or download its log on the status page")
	case location != "":
		return errors.New("something before the bridge leads elsewhere: name with --url the address that it leads to")
	case resp.StatusCode != http.StatusOK:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the status is told all the same
		return fmt.Errorf("the bridge answered %s: %s", resp.Status, inputtext.Line(strings.TrimSpace(string(text))))
	case resp.Header.Get("Content-Type") != "application/zip":
		return errors.New("what answers at --url is not a bridge: it sent no ZIP file")
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("reading the support bundle: %w", err)
	}
	return nil
}

func (b *bundleCommand) printPseudonym(c *console) error {
	path := filepath.Join(b.DataDir, journal.Folder, journal.KeyFile)
	const more = 4 << 10 // than a key has: what else is there is told below
	if _, err := durable.ReadFile(path, more); err != nil {
		return fmt.Errorf("the key to pseudonyms cannot be read: %w: name the data folder of a bridge, and be its user",
			durable.Reason(err))
	}
	archive := journal.OpenArchive(b.DataDir)
	if !archive.HasKey() {
		return errors.New("journal/key in the data folder holds no key, so nobody can tell what stands for a name in " +
			"earlier bundles; the bridge makes a new key when it is restarted")
	}
	for _, one := range bundle.Pseudonyms(archive, b.Pseudonym) {
		if _, err := fmt.Fprintf(c.Out, "%-20s %s\n", one.Text, one.Of); err != nil {
			return err
		}
	}
	return nil
}
