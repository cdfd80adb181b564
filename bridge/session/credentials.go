package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/scimurl"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

// A Kind is the kind of a session's credentials, from a closed set.
type Kind string

// The kinds.
const (
	KindIntegration Kind = "integration"
	KindDirectory   Kind = "directory"
)

// Credentials are the content of a session: an Integration or a Directory.
type Credentials interface {
	// header returns what the header says of them, the version included.
	header() Header
	// payload returns what is encrypted.
	payload() any
}

// An Integration has the credentials of an account's provisioning integration.
type Integration struct {
	AccountURL string
	AccountID  string
	Email      string // the Provision Manager's address
	Secrets    signin.Secrets
}

// A Directory has the credentials of a SCIM server.
type Directory struct {
	URL   string // as ParseDirectoryURL returns it
	Token secret.String
}

// integrationPayload is the plaintext of an integration's session.
type integrationPayload struct {
	AccountURL     string `json:"account_url"`
	AccountID      string `json:"account_id"`
	Email          string `json:"email"`
	MasterPassword string `json:"master_password"`
	SecretKey      string `json:"secret_key"`
}

// directoryPayload is the plaintext of a directory's session. The address is in the
// header, which is authenticated.
type directoryPayload struct {
	Token string `json:"token"`
}

func (c Integration) header() Header { return Header{Version: version, AccountID: c.AccountID} }

func (c Integration) payload() any {
	masterPassword, secretKey := c.Secrets.Reveal()
	return integrationPayload{
		AccountURL:     c.AccountURL,
		AccountID:      c.AccountID,
		Email:          c.Email,
		MasterPassword: masterPassword,
		SecretKey:      secretKey,
	}
}

func openIntegration(h Header, plaintext []byte) (Credentials, error) {
	var p integrationPayload
	if err := json.Unmarshal(plaintext, &p); err != nil {
		// Without the error's text, which may quote the plaintext.
		return nil, unreadable("its content does not have the form of version %d", h.Version)
	}
	if p.AccountID != h.AccountID {
		return nil, unreadable("its header and its content name different accounts")
	}
	return Integration{
		AccountURL: p.AccountURL,
		AccountID:  p.AccountID,
		Email:      p.Email,
		Secrets:    signin.NewSecrets(p.MasterPassword, p.SecretKey),
	}, nil
}

func (c Directory) header() Header { return Header{Version: versionDirectory, DirectoryURL: c.URL} }

func (c Directory) payload() any { return directoryPayload{Token: c.Token.Reveal()} }

func openDirectory(h Header, plaintext []byte) (Credentials, error) {
	var p directoryPayload
	if err := json.Unmarshal(plaintext, &p); err != nil {
		return nil, unreadable("its content does not have the form of version %d", h.Version)
	}
	token, err := ParseDirectoryToken(p.Token)
	if err != nil {
		return nil, unreadable("its content has no token of the directory")
	}
	return Directory{URL: h.DirectoryURL, Token: token}, nil
}

// MaxDirectoryToken is the longest token of a directory, in bytes: about what servers
// accept as the headers of a request.
const MaxDirectoryToken = 8 << 10

// ParseDirectoryURL checks the base address of a SCIM server and returns it in the form
// that sessions have, which is scimurl's. The error does not quote an address that may have
// a secret in it.
func ParseDirectoryURL(text string) (string, error) { return scimurl.Parse(text) }

// ParseDirectoryToken checks the token of a SCIM server: it must fit into a header. The
// error does not quote it.
func ParseDirectoryToken(text string) (secret.String, error) {
	visible := func(r rune) bool { return r > ' ' && r < 0x7f }
	switch text = Pasted(text); {
	case text == "":
		return secret.String{}, errors.New("there is no token")
	case len(text) > MaxDirectoryToken:
		return secret.String{}, fmt.Errorf("the token has %d bytes; at most %d are allowed", len(text),
			MaxDirectoryToken)
	case len(text) > len("Bearer ") && strings.EqualFold(text[:len("Bearer ")], "Bearer "):
		return secret.String{}, errors.New(`the token begins with "Bearer ": write it without that`)
	case strings.ContainsFunc(text, func(r rune) bool { return !visible(r) }):
		return secret.String{}, errors.New("this is not a token: it has blanks, line breaks or characters " +
			"outside ASCII")
	}
	return secret.New(text), nil
}
