package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// credentialsDirectory is the variable that names the folder in which a service
// manager passes credentials (systemd.exec(5), CREDENTIALS).
const credentialsDirectory = "CREDENTIALS_DIRECTORY"

// The names of the credentials. A unit can name all of them: systemd ignores
// missing ones.
const (
	sessionCredential      = "scim-bridge.session"
	bearerCredential       = "scim-bridge.bearer-token"
	monitoringCredential   = "scim-bridge.monitoring-token"
	smtpPasswordCredential = "scim-bridge.smtp-password" // of account serve
)

var credentialNames = []string{sessionCredential, bearerCredential, monitoringCredential}

// takeCredentials sets the flags that are not set from the credentials in folder.
func (s *serveCommand) takeCredentials(folder string) {
	if folder == "" {
		return
	}
	s.parsed.credentials = folder
	take := func(name string, file *string) (taken bool) {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); *file != "" || err != nil {
			return false
		}
		*file = path
		return true
	}
	take(monitoringCredential, &s.MonitoringTokenFile)
	if take(bearerCredential, &s.UnsealTokenFile) {
		s.parsed.unsealCredential = bearerCredential
	}
}

// readSessionCredential reads the session from the credentials in folder, and by
// other if it is not among them. A service manager reads credentials when it
// starts the service: one that is missing or unreadable stays so until then.
func readSessionCredential(folder string, other func() (session.File, error)) func() (session.File, error) {
	path := filepath.Join(folder, sessionCredential)
	return func() (session.File, error) {
		file, err := session.ReadFile(path)
		mistake := fmt.Sprintf("not a readable session (%v)", err)
		if errors.Is(err, fs.ErrNotExist) {
			file, err = other()
			mistake = fmt.Sprintf("not given, and %v", err)
		}
		if err != nil {
			err = &session.MistakeError{Setting: credential(sessionCredential), Mistake: mistake}
		}
		return file, err
	}
}

// credential returns a text's name for a credential.
func credential(name string) string { return "the credential " + name }
