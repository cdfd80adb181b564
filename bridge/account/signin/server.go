package signin

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/1Password/srp"
)

// A Server is one sign-in, seen from the side that keeps the verifier. It
// lives between two requests, which may come to two processes, so it
// marshals; the bytes are as secret as the verifier.
type Server struct {
	identity identity
	kdf      KDF
	a        string
	srp      *srp.SRP
}

// NewServer answers a client that began with A in hex, for the credentials
// that were enrolled as kdf and verifier.
func NewServer(accountID, email string, epoch int64, kdf KDF, verifier, a string) (*Server, error) {
	v, err := parseVerifier(verifier)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	s := srp.NewSRPServer(group, v, nil)
	if s == nil {
		return nil, errors.New("sign in: set up SRP")
	}
	// Finish would find a bad A too; found here, it costs no handshake.
	public, err := parseNumber(a)
	if err != nil {
		return nil, fmt.Errorf("sign in: A: %w", err)
	}
	if !s.IsPublicValid(public) {
		return nil, errors.New("sign in: A: the public value is 0 modulo the group")
	}
	return &Server{identity: newIdentity(accountID, email, epoch), kdf: kdf, a: a, srp: s}, nil
}

// B returns the server's public value in lower-case hex.
func (s *Server) B() string { return encodeNumber(s.srp.EphemeralPublic()) }

// Finish checks the client's proof and returns the server's. A wrong proof is
// ErrWrongProof, and then nothing is returned that would help to guess.
//
// The caller lets a handshake be finished once only, whatever comes of it:
// each try is a guess at the secrets.
func (s *Server) Finish(handshakeID, clientProof string) (serverProof string, err error) {
	key, err := commonKey(s.srp, s.a)
	if err != nil {
		return "", fmt.Errorf("finish sign-in: A: %w", err)
	}
	client, server := proofs(key, s.identity, handshakeID, s.kdf, s.a, s.B())
	if !equalProof(clientProof, client) {
		return "", fmt.Errorf("finish sign-in: %w", ErrWrongProof)
	}
	return encodeProof(server), nil
}

// serverState is a Server at rest.
type serverState struct {
	Version   int    `json:"version"`
	AccountID string `json:"account_id"`
	Email     string `json:"email"`
	Epoch     int64  `json:"epoch"`
	KDF       KDF    `json:"kdf"`
	A         string `json:"a"`
	SRP       []byte `json:"srp"`
}

const stateVersion = 1

// MarshalBinary implements encoding.BinaryMarshaler.
func (s *Server) MarshalBinary() ([]byte, error) {
	state, err := s.srp.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("keep the handshake: %w", err)
	}
	return json.Marshal(serverState{
		Version:   stateVersion,
		AccountID: s.identity.accountID,
		Email:     s.identity.email,
		Epoch:     s.identity.epoch,
		KDF:       s.kdf,
		A:         s.a,
		SRP:       state,
	})
}

// UnmarshalServer restores a Server from what MarshalBinary wrote.
func UnmarshalServer(data []byte) (*Server, error) {
	var state serverState
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, fmt.Errorf("restore the handshake: %w", err)
	}
	if state.Version != stateVersion {
		return nil, fmt.Errorf("restore the handshake: version %d is not known", state.Version)
	}
	s := &Server{
		identity: newIdentity(state.AccountID, state.Email, state.Epoch),
		kdf:      state.KDF,
		a:        state.A,
		srp:      new(srp.SRP),
	}
	if err := s.srp.UnmarshalBinary(state.SRP); err != nil {
		return nil, fmt.Errorf("restore the handshake: %w", err)
	}
	return s, nil
}
