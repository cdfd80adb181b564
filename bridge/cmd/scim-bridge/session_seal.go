package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type sessionSealCommand struct {
	Directory string `required:"" placeholder:"URL" help:"Base address of the SCIM server, without a token in it."`

	DirectoryTokenFile string `placeholder:"FILE" help:"File with the server's token, instead of standard input."`
	BearerTokenFile    string `required:"" placeholder:"FILE" help:"File with the bridge's bearer token."`

	Previous string        `placeholder:"FILE" help:"The session that is in use, to seal it again with an overlap."`
	Overlap  time.Duration `default:"15m" help:"How long both bearer tokens are valid, with --previous (${default})."`
	Output   string        `short:"o" placeholder:"FILE" help:"File to write; standard output without it."`
}

// Help implements kong.HelpProvider.
func (sessionSealCommand) Help() string {
	return `Makes a session with which a bridge stands before a SCIM 2.0 server, and needs no account: the server's
address and token, encrypted under the bridge's bearer token. The address is readable in it, the token is not. The
server's token is read from --directory-token-file or standard input; on a terminal it is asked for without echo.
scim-bridge token makes a bearer token.

  scim-bridge session seal --directory https://scim.example.com/scim/v2 --bearer-token-file bearer-token -o session
  scim-bridge serve --session session

The address is what the requests' /Users and /Groups follow. It has https, or http on loopback, and no user, query or
fragment. Only FILEs that hold a session of the same server are replaced.

For another bearer token, make one and seal with the session that is in use as --previous: both are valid for the
--overlap, in which the identity provider gets the new one. With --overlap 0s the old one ends at once.

  scim-bridge token > bearer-token.new
  scim-bridge session seal --directory https://scim.example.com/scim/v2 --bearer-token-file bearer-token.new \
    --previous session -o session

For another token of the server, seal with the same bearer token and the server's new token; an overlap of bearer
tokens that is running goes on with --previous. Revoke the old one at the server when the bridge has the new session,
and any overlap is over.

A bridge reads the new session when it is started again; serve --take-over does that without losing a request.`
}

// Run writes a session.
func (s *sessionSealCommand) Run(ctx context.Context, c *console) error {
	now := time.Now()
	url, err := session.ParseDirectoryURL(s.Directory)
	if err != nil {
		return &exit{exitUsage, fmt.Errorf("--directory: %w", err)}
	}
	before, err := s.before(url)
	if err != nil {
		return err
	}
	bearer, err := readBearer("--bearer-token-file", s.BearerTokenFile)
	if err != nil {
		return err
	}
	token, err := s.directoryToken(ctx, c)
	switch {
	case err != nil:
		return err
	case token.Equal(secret.New(bearer.Reveal())):
		return errors.New("the server's token is the one of --bearer-token-file: each has its own, since identity " +
			"providers get only the bridge's")
	}
	sealed, err := session.SealDirectory(bearer, session.Directory{URL: url, Token: token}, before, s.Overlap, now)
	if err != nil {
		return err
	}
	if s.Output == "" {
		_, err = fmt.Fprintln(c.Out, sealed)
		return err
	}
	if err := session.WriteFile(s.Output, sealed); err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	return s.tell(c.Out, sealed)
}

// before returns the session that the new one follows; the zero File if there is none.
func (s *sessionSealCommand) before(url string) (session.File, error) {
	if err := s.checkOutput(url); err != nil || s.Previous == "" {
		return session.File{}, err
	}
	file, err := readSessionFile("--previous", s.Previous)()
	if err != nil {
		return session.File{}, err
	}
	if h := file.Entries[0].Header; h.DirectoryURL != url {
		return session.File{}, fmt.Errorf("--previous: %q is a session of %s, and only sessions of one server can "+
			"have an overlap: leave --previous out", s.Previous, farSideOf(h))
	}
	return file, nil
}

// checkOutput refuses to replace what is not a session of the same server.
func (s *sessionSealCommand) checkOutput(url string) error {
	switch {
	case s.Output == "":
		return nil
	case session.Misplaced(s.Output):
		return errors.New("-o is a secret or other text instead of the name of a file")
	}
	file, err := session.ReadFile(s.Output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("-o: %q is there already, and is not a session: name another file", s.Output)
	case file.Entries[0].Header.DirectoryURL != url:
		return fmt.Errorf("-o: %q is a session of %s: name another file, or remove it first", s.Output,
			farSideOf(file.Entries[0].Header))
	}
	return nil
}

func farSideOf(h session.Header) string {
	if h.Kind() == session.KindDirectory {
		return h.DirectoryURL
	}
	return "the account " + h.AccountID
}

// readBearer reads a file with a bearer token of a bridge.
func readBearer(setting, path string) (session.Token, error) {
	text, err := readSecret(setting, path, toStandardError)
	if err != nil {
		return session.Token{}, err
	}
	token, err := session.ParseToken(text.Reveal())
	if err != nil {
		return session.Token{}, fmt.Errorf("%s: %w: scim-bridge token makes one", setting, err)
	}
	return token, nil
}

// maxDirectoryTokenFile has room for blanks around the token, in bytes.
const maxDirectoryTokenFile = session.MaxDirectoryToken + 1<<10

// directoryToken reads the token of the SCIM server.
func (s *sessionSealCommand) directoryToken(ctx context.Context, c *console) (secret.String, error) {
	from := "standard input"
	var text string
	if terminal, ok := terminalOf(c.In); s.DirectoryTokenFile != "" {
		from = "--directory-token-file"
		read, err := readSecretUpTo(maxDirectoryTokenFile, from, s.DirectoryTokenFile, toStandardError)
		if err != nil {
			return secret.String{}, err
		}
		text = read.Reveal()
	} else if ok {
		var err error
		if text, err = readPassword(ctx, c.Err, terminal, "token of the SCIM server: "); err != nil {
			return secret.String{}, fmt.Errorf("reading the server's token from the terminal: %w", err)
		}
	} else {
		read, err := io.ReadAll(io.LimitReader(c.In, maxDirectoryTokenFile))
		if err != nil {
			return secret.String{}, fmt.Errorf("reading the server's token from standard input: %w", err)
		}
		text = string(read)
	}
	token, err := session.ParseDirectoryToken(text)
	if err != nil {
		return secret.String{}, fmt.Errorf("the server's token from %s: %w", from, err)
	}
	return token, nil
}

// tell says what was written.
func (s *sessionSealCommand) tell(w io.Writer, sealed string) error {
	file, err := session.Parse(sealed)
	if err != nil {
		return err
	}
	text := "the bearer token of --bearer-token-file opens it"
	if ends := file.Entries[0].Header.PreviousExpires; !ends.IsZero() {
		text += ", and the previous one until " + stamp(ends)
	}
	_, err = fmt.Fprintf(w, "wrote the session %s to %s; %s\n", file.Fingerprint(), s.Output, text)
	return err
}
