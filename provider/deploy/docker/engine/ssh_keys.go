package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// A keyring has the private keys to sign in with.
type keyring struct {
	all  []ssh.Signer
	from []string // where they are from, and which could not be used
	// withAgent is set unless one key is configured.
	withAgent bool
}

func (k keyring) signers() ([]ssh.Signer, error) { return k.all, nil }

// String lists the keys, for messages.
func (k keyring) String() string {
	if len(k.from) == 0 {
		return "none, since there is no agent (SSH_AUTH_SOCK) and no key in " + inHome(".ssh")
	}
	return strings.Join(k.from, ", ")
}

// keys returns the configured key, or else those in ~/.ssh, to which connectSSH adds the
// agent's. It decrypts a key, which takes time, only once.
func (s SSH) keys() (k keyring, err error) {
	switch {
	case s.PrivateKey != "" && s.PrivateKeyFile != "":
		return k, errors.New("ssh_private_key_pem and ssh_private_key_file exclude each other")
	case s.PrivateKey != "":
		err = unusable(k.add([]byte(s.PrivateKey), s.Passphrase, "ssh_private_key_pem"))
		return k, err
	case s.PrivateKeyFile != "":
		text, err := os.ReadFile(s.PrivateKeyFile)
		if err != nil {
			return k, fmt.Errorf("cannot read ssh_private_key_file: %w", err)
		}
		if err := k.add(text, s.Passphrase, s.PrivateKeyFile); err != nil {
			return k, unusable(err)
		}
		k.certify(s.PrivateKeyFile)
		return k, nil
	}
	k.withAgent = true
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		file := inHome(".ssh", name)
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = k.add(text, "", file)
		}
		if err != nil {
			k.from = append(k.from, fmt.Sprintf("not %v", err))
			continue
		}
		k.certify(file)
	}
	return k, nil
}

func unusable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot use the SSH key in %w", err)
}

// add adds a private key. Errors do not quote it.
func (k *keyring) add(text []byte, passphrase, origin string) error {
	signer, err := ssh.ParsePrivateKey(text)
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted {
		if passphrase == "" {
			return fmt.Errorf("%s, which is encrypted (set ssh_passphrase, or give the key to an agent with ssh-add)",
				origin)
		}
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase)); err != nil {
			return fmt.Errorf("%s, which ssh_passphrase does not decrypt", origin)
		}
	}
	if err != nil {
		return fmt.Errorf("%s, which is not a private key that OpenSSH writes", origin)
	}
	k.all = append(k.all, signer)
	k.from = append(k.from, fmt.Sprintf("%s (%s)", origin, ssh.FingerprintSHA256(signer.PublicKey())))
	return nil
}

// certify puts the certificate beside a key's file, if there is one, before the key.
func (k *keyring) certify(file string) {
	text, err := os.ReadFile(strings.TrimSuffix(file, ".pem") + "-cert.pub")
	if err != nil {
		return
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return
	}
	certificate, ok := public.(*ssh.Certificate)
	last := len(k.all) - 1
	if !ok || !bytes.Equal(certificate.Key.Marshal(), k.all[last].PublicKey().Marshal()) {
		return
	}
	if signer, err := ssh.NewCertSigner(certificate, k.all[last]); err == nil {
		k.all = append(k.all[:last], signer, k.all[last])
	}
}

// addAgent adds the keys of the agent at SSH_AUTH_SOCK, if any, before the others. The
// caller calls done when the keys have been used.
func (k *keyring) addAgent(ctx context.Context) (done func()) {
	none := func() {}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" || !k.withAgent {
		return none
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		k.from = append([]string{"not the agent at SSH_AUTH_SOCK, which does not answer"}, k.from...)
		return none
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		conn.Close()
		k.from = append([]string{"not the agent at SSH_AUTH_SOCK, which gives no keys"}, k.from...)
		return none
	}
	k.all = append(signers, k.all...)
	k.from = append([]string{fmt.Sprintf("the agent's %d", len(signers))}, k.from...)
	return func() { conn.Close() }
}
