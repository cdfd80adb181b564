package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys are the keys that an SSH server may have.
type hostKeys struct {
	check      ssh.HostKeyCallback
	algorithms []string
}

// A hostKeyError says that a server's key is not known, or another one.
type hostKeyError struct{ reason, remedy string }

func (e *hostKeyError) Error() string { return e.reason }

// hostKeys returns the keys of known_hosts for a server. There is no way to do without.
func (s SSH) hostKeys(address string) (hostKeys, error) {
	files, place, err := s.knownHostsFiles()
	if err != nil {
		return hostKeys{}, err
	}
	if s.KnownHosts != "" {
		defer os.Remove(files[0])
	}
	known, err := knownhosts.New(files...)
	if err != nil {
		return hostKeys{}, fmt.Errorf("%s cannot be read: %w", place, err)
	}
	authorities, err := hasAuthorities(files)
	if err != nil {
		return hostKeys{}, err
	}
	check := func(host string, remote net.Addr, key ssh.PublicKey) error {
		return explainHostKey(known(host, remote, key), host, key, place)
	}
	return hostKeys{check, algorithmsOf(known, address, authorities)}, nil
}

// knownHostsFiles returns the files to read and what to call them. With KnownHosts the
// only one is temporary, since the library reads files.
func (s SSH) knownHostsFiles() (files []string, place string, err error) {
	switch {
	case s.KnownHosts != "" && s.KnownHostsFile != "":
		return nil, "", errors.New("ssh_known_hosts and ssh_known_hosts_file exclude each other")
	case s.KnownHosts != "":
		file, err := os.CreateTemp("", "known_hosts-*")
		if err != nil {
			return nil, "", err
		}
		_, err = file.WriteString(s.KnownHosts)
		if err = errors.Join(err, file.Close()); err != nil {
			os.Remove(file.Name())
			return nil, "", err
		}
		return []string{file.Name()}, "ssh_known_hosts", nil
	case s.KnownHostsFile != "":
		return []string{s.KnownHostsFile}, s.KnownHostsFile, nil
	}
	own := inHome(".ssh", "known_hosts")
	for _, file := range []string{own, "/etc/ssh/ssh_known_hosts"} {
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, "", fmt.Errorf("cannot read the known hosts: %w", err)
		}
	}
	return files, own, nil
}

func inHome(elements ...string) string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "~"
	}
	return filepath.Join(append([]string{home}, elements...)...)
}

// hasAuthorities reports whether a file trusts authorities of host certificates.
func hasAuthorities(files []string) (bool, error) {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		if strings.Contains(string(text), "@cert-authority") {
			return true, nil
		}
	}
	return false, nil
}

// explainHostKey turns the library's error into one with the server's key.
func explainHostKey(err error, host string, key ssh.PublicKey, place string) error {
	if err == nil {
		return nil
	}
	fingerprint := fmt.Sprintf("%s %s", key.Type(), ssh.FingerprintSHA256(key))
	line := knownhosts.Line([]string{knownhosts.Normalize(host)}, key)
	if revoked, ok := errors.AsType[*knownhosts.RevokedError](err); ok {
		return &hostKeyError{fmt.Sprintf("the SSH server's key %s is revoked by line %d of %s", fingerprint,
			revoked.Revoked.Line, place), "Do not connect until it is clear why"}
	}
	mismatch, ok := errors.AsType[*knownhosts.KeyError](err)
	if !ok {
		return &hostKeyError{fmt.Sprintf("the SSH server's key %s is not accepted: %v", fingerprint, err), ""}
	}
	if len(mismatch.Want) == 0 {
		return &hostKeyError{fmt.Sprintf("the SSH server's key is not known: %s", fingerprint),
			fmt.Sprintf("Compare it with the one that the server's console shows (`ssh-keygen -lf "+
				"/etc/ssh/ssh_host_%s_key.pub`), and add this line to %s:\n\n%s\n", kindOf(key), place, line)}
	}
	var lines []string
	for _, known := range mismatch.Want {
		lines = append(lines, fmt.Sprint(known.Line))
	}
	slices.Sort(lines)
	return &hostKeyError{fmt.Sprintf("the SSH server has another key than before, %s: somebody may be in between",
		fingerprint), fmt.Sprintf("If the server was installed anew and its console shows that key, replace line %s "+
		"of %s by:\n\n%s\n", strings.Join(lines, ", "), place, line)}
}

// kindOf returns the kind of a key in the names of OpenSSH's files.
func kindOf(key ssh.PublicKey) string {
	switch kind := key.Type(); {
	case strings.Contains(kind, "ed25519"):
		return "ed25519"
	case strings.Contains(kind, "ecdsa"):
		return "ecdsa"
	default:
		return "rsa"
	}
}

// algorithmsOf returns the algorithms for the keys that are known of a server: else it may
// show a key of another type, which looks like a changed one.
func algorithmsOf(known ssh.HostKeyCallback, address string, authorities bool) []string {
	var algorithms, plain []string
	for _, name := range ssh.SupportedAlgorithms().HostKeys {
		switch {
		case name == ssh.KeyAlgoED25519: // the one that OpenSSH asks for first
			plain = slices.Insert(plain, 0, name)
		case !strings.Contains(name, "-cert-"):
			plain = append(plain, name)
		case authorities:
			algorithms = append(algorithms, name)
		}
	}
	mismatch, ok := errors.AsType[*knownhosts.KeyError](known(address, new(net.TCPAddr), noKey{}))
	if !ok || len(mismatch.Want) == 0 {
		return append(algorithms, plain...)
	}
	for _, key := range mismatch.Want {
		if kind := key.Key.Type(); kind == ssh.KeyAlgoRSA {
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			algorithms = append(algorithms, kind)
		}
	}
	return algorithms
}

// noKey is a key that no server has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("not a key") }
