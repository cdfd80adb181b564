package signin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/1Password/srp"
)

const groupBits = 4096

var group = srp.KnownGroups[srp.RFC5054Group4096]

// ErrWrongProof says that the other side does not know what it should: the
// secrets, or the verifier that was made of them.
var ErrWrongProof = errors.New("the proof is wrong")

// Enrol makes what an account keeps of the secrets: the key derivation's
// parameters, with a new salt, and the verifier in lower-case hex. iterations
// is DefaultIterations outside tests.
func Enrol(accountID, email string, s Secrets, iterations int) (KDF, string, error) {
	kdf, err := newKDF(iterations)
	if err != nil {
		return KDF{}, "", fmt.Errorf("enrol %q: %w", email, err)
	}
	verifier, err := makeVerifier(accountID, email, s, kdf)
	if err != nil {
		return KDF{}, "", fmt.Errorf("enrol %q: %w", email, err)
	}
	return kdf, verifier, nil
}

func makeVerifier(accountID, email string, s Secrets, kdf KDF) (string, error) {
	x, err := deriveX(accountID, email, s, kdf)
	if err != nil {
		return "", err
	}
	client := srp.NewSRPClient(group, x, nil)
	if client == nil {
		return "", errors.New("set up SRP")
	}
	v, err := client.Verifier()
	if err != nil {
		return "", fmt.Errorf("make the verifier: %w", err)
	}
	return encodeNumber(v), nil
}

// CheckEnrolment refuses a KDF and verifier with which no client could sign in, or
// every client could: a verifier of 0 or 1 makes the common key known to all.
func CheckEnrolment(kdf KDF, verifier string) error {
	if err := kdf.Validate(); err != nil {
		return err
	}
	_, err := parseVerifier(verifier)
	return err
}

func parseVerifier(s string) (*big.Int, error) {
	v, err := parseNumber(s)
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	last := new(big.Int).Sub(group.N(), big.NewInt(1))
	if v.Cmp(big.NewInt(1)) <= 0 || v.Cmp(last) >= 0 {
		return nil, errors.New("verifier: it must lie strictly between 1 and the group's modulus less 1")
	}
	return v, nil
}

// A Client is one sign-in, seen from the side that knows the secrets.
type Client struct {
	identity    identity
	serverProof []byte // what the server must send; nil before Prove
}

// NewClient begins a sign-in with the credentials of the given epoch.
func NewClient(accountID, email string, epoch int64) *Client {
	return &Client{identity: newIdentity(accountID, email, epoch)}
}

// Prove answers the server's half of the handshake: with A, the client's
// public value in lower-case hex, and with the proof. It takes as long as the
// key derivation: with DefaultIterations a quarter of a second or so.
func (c *Client) Prove(s Secrets, handshakeID string, kdf KDF, b string) (a, proof string, err error) {
	x, err := deriveX(c.identity.accountID, c.identity.email, s, kdf)
	if err != nil {
		return "", "", fmt.Errorf("sign in: %w", err)
	}
	session := srp.NewSRPClient(group, x, nil)
	if session == nil {
		return "", "", errors.New("sign in: set up SRP")
	}
	key, err := commonKey(session, b)
	if err != nil {
		return "", "", fmt.Errorf("sign in: B: %w", err)
	}
	a = encodeNumber(session.EphemeralPublic())
	client, server := proofs(key, c.identity, handshakeID, kdf, a, b)
	c.serverProof = server
	return a, encodeProof(client), nil
}

// VerifyServer checks the server's proof that it knows the verifier. Nothing
// the server says is to be believed before: an impostor at the account's address
// could have accepted any proof.
func (c *Client) VerifyServer(proof string) error {
	if c.serverProof == nil {
		return errors.New("verify the server: the client has not proved itself yet")
	}
	if !equalProof(proof, c.serverProof) {
		return fmt.Errorf("verify the server: %w", ErrWrongProof)
	}
	return nil
}

// identity is what both sides must mean by this sign-in.
type identity struct {
	accountID, email string
	epoch            int64
}

func newIdentity(accountID, email string, epoch int64) identity {
	return identity{accountID: accountID, email: NormalizeEmail(email), epoch: epoch}
}

// proofs makes the client's and the server's proof of the common key.
//
// Each is an HMAC under a key of its own, so that neither can be sent back as
// the other, over everything that both have sent: the server notices if an
// attacker between them has lowered the iterations, say, or has carried a proof
// into another handshake or epoch.
func proofs(key []byte, id identity, handshakeID string, kdf KDF, a, b string) (client, server []byte) {
	said := transcript(
		"scimbridge/signin/v1",
		handshakeID, id.accountID, id.email, epochField(id.epoch),
		kdf.Algorithm, strconv.Itoa(kdf.Iterations), kdf.Salt,
		a, b,
	)
	prove := func(label string) []byte {
		mac := hmac.New(sha256.New, expand(key, nil, label, sha256.Size))
		mac.Write(said)
		return mac.Sum(nil)
	}
	return prove("scimbridge/signin/client-proof/v1"), prove("scimbridge/signin/server-proof/v1")
}

func epochField(epoch int64) string { return strconv.FormatInt(epoch, 10) }

// commonKey computes SRP's key from the other side's public value in hex.
func commonKey(s *srp.SRP, others string) ([]byte, error) {
	public, err := parseNumber(others)
	if err != nil {
		return nil, err
	}
	// Refuses 0 modulo N, for which everybody knows the key.
	if err := s.SetOthersPublic(public); err != nil {
		return nil, errors.New("the public value is 0 modulo the group")
	}
	key, err := s.Key()
	if err != nil {
		return nil, fmt.Errorf("compute the common key: %w", err)
	}
	if len(key) != sha256.Size {
		return nil, fmt.Errorf("compute the common key: it has %d bytes", len(key))
	}
	return key, nil
}

// encodeNumber writes n as lower-case hex without leading zeros.
func encodeNumber(n *big.Int) string { return n.Text(16) }

// parseNumber reads what encodeNumber writes, and nothing else: the texts go
// into the proofs, so each number must have one text only.
func parseNumber(s string) (*big.Int, error) {
	if len(s) > groupBits/4 {
		return nil, fmt.Errorf("the number has more than %d bits", groupBits)
	}
	n, ok := new(big.Int).SetString(s, 16)
	if !ok || encodeNumber(n) != s || n.Sign() < 0 {
		return nil, errors.New("the number is not lower-case hex without leading zeros")
	}
	if n.Cmp(group.N()) >= 0 {
		return nil, errors.New("the number is not smaller than the group's modulus")
	}
	return n, nil
}

func encodeProof(proof []byte) string { return base64.RawURLEncoding.EncodeToString(proof) }

func equalProof(got string, want []byte) bool {
	return hmac.Equal([]byte(got), []byte(encodeProof(want)))
}
