package signin

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"math/big"
	"os"
	"testing"
	"testing/cryptotest"

	"github.com/1Password/srp"
)

var update = flag.Bool("update", false, "rewrite testdata/signin.json")

// vector is a sign-in with everything that was said, for other
// implementations; a and b are what would be secret.
type vector struct {
	Comment        string `json:"comment"`
	Seed           uint64 `json:"seed"`
	AccountID      string `json:"account_id"`
	Email          string `json:"email"`
	Epoch          int64  `json:"epoch"`
	HandshakeID    string `json:"handshake_id"`
	MasterPassword string `json:"master_password"`
	SecretKey      string `json:"secret_key"`
	KDF            KDF    `json:"kdf"`
	Verifier       string `json:"verifier"`
	SecretA        string `json:"secret_a"`
	SecretB        string `json:"secret_b"`
	A              string `json:"a"`
	B              string `json:"b"`
	ClientProof    string `json:"client_proof"`
	ServerProof    string `json:"server_proof"`
}

func TestVectors(t *testing.T) {
	const path = "testdata/signin.json"
	if *update {
		v := play(t, vector{
			Comment:        "a sign-in whose random numbers come from the seed",
			Seed:           1,
			AccountID:      "acc_1",
			Email:          "Provision-Manager@Example.com",
			Epoch:          7,
			HandshakeID:    "hs_1",
			MasterPassword: "Übergrößenträger ﬁx",
			SecretKey:      "sk1_SECRETKEY",
		})
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want vector
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if got := play(t, want); got != want {
		t.Errorf("played:\n%+v\nwant\n%+v", got, want)
	}
	wantByHand(t, want)
}

// play fills in what the inputs of v lead to.
func play(t *testing.T, v vector) vector {
	t.Helper()
	exponent := func() string {
		b := make([]byte, max(group.ExponentSize, srp.MinExponentSize))
		if _, err := rand.Read(b); err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b).Text(16)
	}
	s := NewSecrets(v.MasterPassword, v.SecretKey)

	cryptotest.SetGlobalRandom(t, v.Seed)
	var err error
	if v.KDF, v.Verifier, err = Enrol(v.AccountID, v.Email, s, MinIterations); err != nil {
		t.Fatal(err)
	}

	// The library draws its secret exponents first: draw the same ones to see them.
	cryptotest.SetGlobalRandom(t, v.Seed+1)
	v.SecretB, v.SecretA = exponent(), exponent()
	cryptotest.SetGlobalRandom(t, v.Seed+1)
	server, err := NewServer(v.AccountID, v.Email, v.Epoch, v.KDF, v.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	v.B = server.B()
	client := NewClient(v.AccountID, v.Email, v.Epoch)
	if v.A, v.ClientProof, err = client.Prove(s, v.HandshakeID, v.KDF, server.B()); err != nil {
		t.Fatal(err)
	}
	if v.ServerProof, err = server.Finish(v.HandshakeID, v.A, v.ClientProof); err != nil {
		t.Fatal(err)
	}
	return v
}

// wantByHand computes the sign-in a second time, as the client, from the
// formulas: x, then S = (B - k·g^x)^(a + u·x) mod N.
func wantByHand(t *testing.T, v vector) {
	t.Helper()
	number := func(s string) *big.Int {
		n, ok := new(big.Int).SetString(s, 16)
		if !ok {
			t.Fatalf("%q is not hex", s)
		}
		return n
	}
	stretch := func(key, salt []byte, label string) []byte {
		out, err := hkdf.Key(sha256.New, key, salt, label, 32)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	hash := func(b []byte) *big.Int {
		sum := sha256.Sum256(b)
		return new(big.Int).SetBytes(sum[:])
	}

	// What NFKD makes of the vector's password, spelt out.
	const password = "U\u0308bergro\u0308ßentra\u0308ger fix"
	salt, err := base64.RawURLEncoding.DecodeString(v.KDF.Salt)
	if err != nil {
		t.Fatal(err)
	}
	const address = "provision-manager@example.com"
	km, err := pbkdf2.Key(sha256.New, password, stretch(salt, []byte(address), "2SKD-PBKDF2-HMAC-SHA256"),
		v.KDF.Iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	ka := stretch([]byte(v.SecretKey), []byte(v.AccountID), "2SKD-PBKDF2-HMAC-SHA256")
	for i := range km {
		km[i] ^= ka[i]
	}
	x := new(big.Int).SetBytes(km)

	N, g := group.N(), group.Generator()
	gx := new(big.Int).Exp(g, x, N)
	if got := gx.Text(16); got != v.Verifier {
		t.Errorf("verifier by hand %s, want %s", got, v.Verifier)
	}
	a, A, B := number(v.SecretA), number(v.A), number(v.B)
	if got := new(big.Int).Exp(g, a, N); got.Cmp(A) != 0 {
		t.Errorf("A by hand %x, want %x", got, A)
	}
	k := hash(append(N.Bytes(), g.Bytes()...))
	u := hash([]byte(v.A + v.B))
	base := new(big.Int).Sub(B, new(big.Int).Mul(k, gx))
	exponent := new(big.Int).Add(a, new(big.Int).Mul(u, x))
	S := new(big.Int).Exp(base.Mod(base, N), exponent, N)
	key := sha256.Sum256([]byte(S.Text(16)))

	var said []byte
	for _, field := range []string{
		"scimbridge/signin/v1", v.HandshakeID, v.AccountID, address, "7",
		"2SKD-PBKDF2-HMAC-SHA256", "100000", v.KDF.Salt, v.A, v.B,
	} {
		said = binary.BigEndian.AppendUint32(said, uint32(len(field)))
		said = append(said, field...)
	}
	for label, want := range map[string]string{
		"scimbridge/signin/client-proof/v1": v.ClientProof,
		"scimbridge/signin/server-proof/v1": v.ServerProof,
	} {
		mac := hmac.New(sha256.New, stretch(key[:], nil, label))
		mac.Write(said)
		if got := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("%s by hand %s, want %s", label, got, want)
		}
	}
}
