package signin

import (
	"errors"
	"testing"
)

const (
	testAccount = "acc_1"
	testEmail   = "manager@example.com"
)

var testSecrets = NewSecrets("correct horse battery staple", "sk1_TESTKEY")

func TestSignIn(t *testing.T) {
	t.Parallel()
	kdf, verifier, err := Enrol(testAccount, testEmail, testSecrets, MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(testAccount, "Manager@Example.com ", 7)
	if err != nil {
		t.Fatal(err)
	}
	server, err := NewServer(testAccount, testEmail, 7, kdf, verifier, client.A())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := server.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	proof, err := client.Prove(testSecrets, "hs_1", kdf, server.B())
	if err != nil {
		t.Fatal(err)
	}
	restored, err := UnmarshalServer(kept)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := restored.Finish("hs_1", proof)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.VerifyServer(answer); err != nil {
		t.Fatal(err)
	}
	if err := client.VerifyServer(proof); !errors.Is(err, ErrWrongProof) {
		t.Errorf("the client's proof sent back: %v, want ErrWrongProof", err)
	}
}
