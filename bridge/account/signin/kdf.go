package signin

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Algorithm is the only key derivation there is.
const Algorithm = "2SKD-PBKDF2-HMAC-SHA256"

// PBKDF2 iterations. A client takes no fewer than MinIterations, since the
// server names the number, and one that was taken over could ask for a
// verifier that is cheap to attack; and no more than MaxIterations, or it
// could keep the client busy for ever.
const (
	DefaultIterations = 650_000
	MinIterations     = 100_000
	MaxIterations     = 2_000_000
)

const saltSize = 16 // bytes

// A KDF is how the two secrets become one key. It is public.
type KDF struct {
	Algorithm  string `json:"algorithm"`
	Iterations int    `json:"iterations"`
	Salt       string `json:"salt"` // 16 bytes, base64url without padding
}

// Validate refuses parameters that a client would not sign in with.
func (k KDF) Validate() error {
	_, err := k.salt()
	return err
}

// salt validates all of k.
func (k KDF) salt() ([]byte, error) {
	if k.Algorithm != Algorithm {
		return nil, fmt.Errorf("key derivation %q is not known; only %s is", k.Algorithm, Algorithm)
	}
	if k.Iterations < MinIterations || k.Iterations > MaxIterations {
		return nil, fmt.Errorf("%d iterations of the key derivation are out of range; it must be %d to %d",
			k.Iterations,
			MinIterations, MaxIterations)
	}
	salt, err := base64.RawURLEncoding.Strict().DecodeString(k.Salt)
	if err != nil {
		return nil, fmt.Errorf("the salt of the key derivation is not base64url without padding: %w", err)
	}
	if len(salt) != saltSize {
		return nil, fmt.Errorf("the salt of the key derivation has %d bytes; it must have %d", len(salt), saltSize)
	}
	return salt, nil
}

// newKDF makes parameters with a new salt.
func newKDF(iterations int) (KDF, error) {
	var salt [saltSize]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return KDF{}, err
	}
	k := KDF{Algorithm: Algorithm, Iterations: iterations, Salt: base64.RawURLEncoding.EncodeToString(salt[:])}
	return k, k.Validate()
}

// FalseKDF makes the parameters for an account, address or epoch that does not
// exist, so that the answer does not show that: always the same ones for the same
// question, and not predictable without serverSecret.
func FalseKDF(serverSecret []byte, accountID, email string, epoch int64) KDF {
	salt := falseBytes(serverSecret, "scimbridge/signin/false-salt/v1", accountID, email, epoch)
	return KDF{
		Algorithm:  Algorithm,
		Iterations: DefaultIterations,
		Salt:       base64.RawURLEncoding.EncodeToString(salt[:saltSize]),
	}
}

// FalseVerifier makes a verifier to go with FalseKDF. No known secrets belong to
// it, so that every proof against it is wrong.
func FalseVerifier(serverSecret []byte, accountID, email string, epoch int64) string {
	seed := falseBytes(serverSecret, "scimbridge/signin/false-verifier/v1", accountID, email, epoch)
	// 64 bits more than the group has: the remainder is as good as uniform.
	wide := expand(seed, nil, "scimbridge/signin/false-verifier/v1", groupBits/8+8)
	v := new(big.Int).SetBytes(wide)
	return encodeNumber(v.Mod(v, group.N()))
}

func falseBytes(serverSecret []byte, label, accountID, email string, epoch int64) []byte {
	mac := hmac.New(sha256.New, serverSecret)
	mac.Write(transcript(label, accountID, NormalizeEmail(email), epochField(epoch)))
	return mac.Sum(nil)
}

// deriveX makes SRP's x of both secrets, the two-secret key derivation of
// 1Password's security white paper:
//
//	salt' = HKDF(salt, salt: e-mail, info: algorithm)
//	km    = PBKDF2-HMAC-SHA256(NFKD(trimmed Master Password), salt', iterations)
//	ka    = HKDF(Secret Key, salt: account id, info: algorithm)
//	x     = km XOR ka
//
// The e-mail address and the account are bound into it, so that a verifier
// cannot be moved to another manager or account.
func deriveX(accountID, email string, s Secrets, k KDF) (*big.Int, error) {
	salt, err := k.salt()
	if err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	masterPassword, secretKey := s.Reveal()

	salt = expand(salt, []byte(NormalizeEmail(email)), k.Algorithm, sha256.Size)
	km, err := pbkdf2.Key(sha256.New, normalizePassword(masterPassword), salt, k.Iterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key of the Master Password: %w", err)
	}
	ka := expand([]byte(secretKey), []byte(accountID), k.Algorithm, sha256.Size)

	subtle.XORBytes(km, km, ka)
	return new(big.Int).SetBytes(km), nil
}

// normalizePassword makes one text of all the byte sequences that keyboards
// and systems make of the same password.
func normalizePassword(s string) string { return norm.NFKD.String(strings.TrimSpace(s)) }

// NormalizeEmail returns the form of an address that sign-in uses. Compare the
// Provision Manager's address only in this form: another one would treat some
// addresses as equal whose proofs differ, and so tell an unauthenticated client
// which one is the manager's.
func NormalizeEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func expand(key, salt []byte, info string, size int) []byte {
	out, err := hkdf.Key(sha256.New, key, salt, info, size)
	if err != nil {
		// Only a size beyond 255 hashes can bring us here; ours are constants.
		panic(fmt.Sprintf("signin: %v", err))
	}
	return out
}

// transcript joins fields such that no two lists of fields give the same
// bytes: each is led by its length.
func transcript(fields ...string) []byte {
	var b []byte
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}
