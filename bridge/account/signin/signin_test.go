package signin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/1Password/srp"
)

const (
	account = "acc_1"
	email   = "provision-manager@example.com"
)

var secrets = NewSecrets("mp1_MASTERPASSWORD", "sk1_SECRETKEY")

// enrolled is one enrolment for all tests: the key derivation is slow by
// purpose.
var enrolled = sync.OnceValues(func() (KDF, string) {
	kdf, verifier, err := Enrol(account, email, secrets, MinIterations)
	if err != nil {
		panic(err)
	}
	return kdf, verifier
})

// A handshake is one conversation, whose parts a test may falsify.
type handshake struct {
	clientAccount, serverAccount string
	clientEmail, serverEmail     string
	clientEpoch, serverEpoch     int64
	clientID, serverID           string
	secrets                      Secrets
	kdf                          KDF    // what the client is told
	verifier                     string // what the server has
	restart                      bool   // the server forgets and restores its state
}

func honest() handshake {
	kdf, verifier := enrolled()
	return handshake{
		clientAccount: account, serverAccount: account,
		clientEmail: email, serverEmail: email,
		clientEpoch: 7, serverEpoch: 7,
		clientID: "hs_1", serverID: "hs_1",
		secrets:  secrets,
		kdf:      kdf,
		verifier: verifier,
	}
}

// run returns the client and the server's answer to its proof.
func (h handshake) run(t *testing.T) (*Client, string, error) {
	t.Helper()
	client := NewClient(h.clientAccount, h.clientEmail, h.clientEpoch)
	kdf, _ := enrolled()
	server, err := NewServer(h.serverAccount, h.serverEmail, h.serverEpoch, kdf, h.verifier)
	if err != nil {
		t.Fatal(err)
	}
	if h.restart {
		server = restored(t, server)
	}
	a, proof, err := client.Prove(h.secrets, h.clientID, h.kdf, server.B())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Finish(h.serverID, a, proof)
	return client, answer, err
}

func restored(t *testing.T, s *Server) *Server {
	t.Helper()
	kept, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	r, err := UnmarshalServer(kept)
	if err != nil {
		t.Fatal(err)
	}
	if r.B() != s.B() {
		t.Fatal("the restored server has another B")
	}
	return r
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*handshake)
	}{
		{"both sides mean the same", func(*handshake) {}},
		{"the server restarts between the halves", func(h *handshake) { h.restart = true }},
		{"the e-mail address is in another case", func(h *handshake) {
			h.clientEmail = " Provision-Manager@EXAMPLE.com"
		}},
		{"the Master Password was pasted with blanks around it", func(h *handshake) {
			h.secrets = NewSecrets(" mp1_MASTERPASSWORD\n", "sk1_SECRETKEY")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := honest()
			row.change(&h)
			client, answer, err := h.run(t)
			if err != nil {
				t.Fatal(err)
			}
			if err := client.VerifyServer(answer); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whatever the two sides do not agree on, the server must notice, and say
// nothing.
func TestSignInFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*handshake)
	}{
		{"the Master Password is wrong", func(h *handshake) { h.secrets = NewSecrets("mp1_OTHER", "sk1_SECRETKEY") }},
		{"the Secret Key is wrong", func(h *handshake) { h.secrets = NewSecrets("mp1_MASTERPASSWORD", "sk1_OTHER") }},
		{"the secrets are exchanged", func(h *handshake) {
			h.secrets = NewSecrets("sk1_SECRETKEY", "mp1_MASTERPASSWORD")
		}},
		{"the proof is for another handshake", func(h *handshake) { h.clientID = "hs_2" }},
		{"the handshake's and the account's ids are split differently", func(h *handshake) {
			h.clientID, h.clientAccount = h.serverID+account[:1], account[1:]
		}},
		{"the epoch is another", func(h *handshake) { h.clientEpoch = 6 }},
		{"the account is another", func(h *handshake) { h.clientAccount = "acc_2" }},
		{"the e-mail address is another", func(h *handshake) { h.clientEmail = "other@example.com" }},
		{"the iterations were changed on the way", func(h *handshake) { h.kdf.Iterations++ }},
		{"the salt was changed on the way", func(h *handshake) { h.kdf.Salt = strings.Repeat("A", 22) }},
		{"the account does not have that name", func(h *handshake) {
			h.verifier = FalseVerifier([]byte("secret"), account, email, 7)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := honest()
			row.change(&h)
			_, answer, err := h.run(t)
			if !errors.Is(err, ErrWrongProof) {
				t.Errorf("Finish: %v, want ErrWrongProof", err)
			}
			if answer != "" {
				t.Error("the server proved itself to a stranger")
			}
		})
	}
}

func TestClientNoticesAFalseServer(t *testing.T) {
	t.Parallel()
	client, answer, err := honest().run(t)
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(answer)
	flipped[0] ^= 1
	for name, proof := range map[string]string{
		"nothing": "", "a changed proof": string(flipped), "a shortened proof": answer[:20],
	} {
		if err := client.VerifyServer(proof); !errors.Is(err, ErrWrongProof) {
			t.Errorf("%s: %v, want ErrWrongProof", name, err)
		}
	}

	early := NewClient(account, email, 7)
	if err := early.VerifyServer(answer); err == nil || errors.Is(err, ErrWrongProof) {
		t.Errorf("before the client's own proof: %v, want an error that says so", err)
	}
}

// A server that could only repeat what the client said must not pass.
func TestTheClientsProofIsNotTheServers(t *testing.T) {
	t.Parallel()
	client := NewClient(account, email, 7)
	kdf, verifier := enrolled()
	server, err := NewServer(account, email, 7, kdf, verifier)
	if err != nil {
		t.Fatal(err)
	}
	_, proof, err := client.Prove(secrets, "hs_1", kdf, server.B())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.VerifyServer(proof); !errors.Is(err, ErrWrongProof) {
		t.Errorf("the client's proof sent back: %v, want ErrWrongProof", err)
	}
}

// The numbers with which either side could force a key that it knows, and
// texts that could be read in two ways.
var badNumbers = []struct{ name, text, want string }{
	{"zero", "0", "0 modulo the group"},
	{"the modulus", srp.KnownGroups[srp.RFC5054Group4096].N().Text(16), "not smaller than the group's modulus"},
	{"twice the modulus", new(big.Int).Lsh(srp.KnownGroups[srp.RFC5054Group4096].N(), 1).Text(16),
		"more than 4096 bits"},
	{"nothing", "", "not lower-case hex"},
	{"a negative number", "-5", "not lower-case hex"},
	{"capitals", "AB", "not lower-case hex"},
	{"a leading zero", "0a", "not lower-case hex"},
	{"an underscore", "a_b", "not lower-case hex"},
	{"a prefix", "0xab", "not lower-case hex"},
}

func TestServerRefusesABadA(t *testing.T) {
	t.Parallel()
	kdf, verifier := enrolled()
	for _, row := range badNumbers {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server, err := NewServer(account, email, 7, kdf, verifier)
			if err != nil {
				t.Fatal(err)
			}
			_, err = server.Finish("hs_1", row.text, "any")
			if !errors.Is(err, ErrWrongProof) || !strings.Contains(err.Error(), row.want) ||
				!strings.Contains(err.Error(), "A:") {
				t.Errorf("Finish: %v, want that A is refused with %q", err, row.want)
			}
		})
	}
}

func TestClientRefusesABadB(t *testing.T) {
	t.Parallel()
	kdf, _ := enrolled()
	for _, row := range badNumbers {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := NewClient(account, email, 7).Prove(secrets, "hs_1", kdf, row.text)
			if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "B:") {
				t.Errorf("Prove: %v, want that B is refused with %q", err, row.want)
			}
		})
	}
}

func TestEnrolmentIsChecked(t *testing.T) {
	t.Parallel()
	kdf, verifier := enrolled()
	with := func(change func(*KDF)) KDF {
		k := kdf
		change(&k)
		return k
	}
	modulus := group.N()
	for _, row := range []struct {
		name     string
		kdf      KDF
		verifier string
		want     string
	}{
		{"an honest enrolment", kdf, verifier, ""},
		{"as few iterations as allowed", with(func(k *KDF) { k.Iterations = MinIterations }), verifier, ""},
		{"as many iterations as allowed", with(func(k *KDF) { k.Iterations = MaxIterations }), verifier, ""},
		{"too few iterations", with(func(k *KDF) { k.Iterations = MinIterations - 1 }), verifier, "99999 iterations"},
		{"too many iterations", with(func(k *KDF) {
			k.Iterations = MaxIterations + 1
		}), verifier, "2000001 iterations"},
		{"another algorithm", with(func(k *KDF) { k.Algorithm = "MD5" }), verifier, `"MD5" is not known`},
		{"no algorithm", with(func(k *KDF) { k.Algorithm = "" }), verifier, "is not known"},
		{"a short salt", with(func(k *KDF) { k.Salt = k.Salt[:20] }), verifier, "has 15 bytes; it must have 16"},
		{"a long salt", with(func(k *KDF) { k.Salt += "AA" }), verifier, "it must have 16"},
		{"no salt", with(func(k *KDF) { k.Salt = "" }), verifier, "has 0 bytes"},
		{"a salt that is not base64url", with(func(k *KDF) { k.Salt = "+" + k.Salt[1:] }), verifier, "not base64url"},
		{"a verifier of zero", kdf, "0", "strictly between"},
		{"a verifier of one", kdf, "1", "strictly between"},
		{"a verifier of the modulus less one", kdf, new(big.Int).Sub(modulus, big.NewInt(1)).Text(16),
			"strictly between"},
		{"a verifier of the modulus", kdf, modulus.Text(16), "not smaller"},
		{"a verifier in capitals", kdf, strings.ToUpper(verifier), "lower-case hex"},
		{"no verifier", kdf, "", "lower-case hex"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := CheckEnrolment(row.kdf, row.verifier)
			if row.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("CheckEnrolment: %v, want an error with %q", err, row.want)
			}
		})
	}
}

// A server that was taken over could ask for a cheap derivation.
func TestClientRefusesBadParameters(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*KDF){
		"too few iterations":  func(k *KDF) { k.Iterations = 1 },
		"too many iterations": func(k *KDF) { k.Iterations = 1 << 40 },
		"a short salt":        func(k *KDF) { k.Salt = "AAAA" },
		"another algorithm":   func(k *KDF) { k.Algorithm = "none" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kdf, _ := enrolled()
			change(&kdf)
			if _, proof, err := NewClient(account, email, 7).Prove(secrets, "hs_1", kdf, "2"); err == nil ||
				proof != "" {
				t.Errorf("Prove = %q, %v, want an error", proof, err)
			}
		})
	}
}

func TestEmptySecretsAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []Secrets{{}, NewSecrets("only a password", ""), NewSecrets("", "only a key")} {
		if _, _, err := Enrol(account, email, s, MinIterations); err == nil ||
			!strings.Contains(err.Error(), "must not be empty") {
			t.Errorf("Enrol: %v, want that secrets must not be empty", err)
		}
	}
}

func TestEnrolMakesANewSaltEachTime(t *testing.T) {
	t.Parallel()
	kdf, verifier := enrolled()
	again, other, err := Enrol(account, email, secrets, MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	if again.Salt == kdf.Salt || other == verifier {
		t.Error("two enrolments of the same secrets can be told to be the same")
	}
}

func TestGeneratedSecretsDifferAndDoNotPrint(t *testing.T) {
	t.Parallel()
	a, err := GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	password, key := a.Reveal()
	if len(password) != 36 || len(key) != 36 || password[4:] == key[4:] {
		t.Errorf("the secrets have %d and %d characters, want 36 different ones each", len(password), len(key))
	}
	if a.MasterPassword.Equal(b.MasterPassword) || a.SecretKey.Equal(b.SecretKey) {
		t.Error("two generated secrets are equal")
	}
	if out := fmt.Sprintf("%v %+v %#v", a, a, &a); strings.Contains(out, password) || strings.Contains(out, key) {
		t.Errorf("the secrets print themselves: %s", out)
	}
}

func TestStrangersAreToldAStableFalseSalt(t *testing.T) {
	t.Parallel()
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		t.Fatal(err)
	}
	first := FalseKDF(secret, account, "nobody@example.com", 1)
	if err := first.Validate(); err != nil {
		t.Errorf("a client would notice: %v", err)
	}
	if again := FalseKDF(secret, account, "Nobody@Example.com", 1); again != first {
		t.Error("asking twice gives two salts")
	}
	for name, other := range map[string]KDF{
		"another person":  FalseKDF(secret, account, "somebody@example.com", 1),
		"another account": FalseKDF(secret, "acc_2", "nobody@example.com", 1),
		"another epoch":   FalseKDF(secret, account, "nobody@example.com", 2),
		"another server":  FalseKDF(secret[1:], account, "nobody@example.com", 1),
	} {
		if other.Salt == first.Salt {
			t.Errorf("%s has the same salt", name)
		}
	}

	verifier := FalseVerifier(secret, account, "nobody@example.com", 1)
	if err := CheckEnrolment(first, verifier); err != nil {
		t.Errorf("the false verifier is unlike a real one: %v", err)
	}
	if verifier != FalseVerifier(secret, account, "nobody@example.com", 1) ||
		verifier == FalseVerifier(secret, account, "nobody@example.com", 2) {
		t.Error("the false verifier is not stable, or the same for every question")
	}
}

func TestRestoringRefusesRubbish(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"nothing":          "",
		"not JSON":         "rubbish",
		"a later version":  `{"version":2}`,
		"no SRP state":     `{"version":1}`,
		"broken SRP state": `{"version":1,"srp":"AAAA"}`,
	} {
		if _, err := UnmarshalServer([]byte(data)); err == nil {
			t.Errorf("%s was restored", name)
		}
	}
}
