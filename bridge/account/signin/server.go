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
	srp      *srp.SRP
}

// NewServer begins a sign-in with the credentials that were enrolled as kdf
// and verifier.
func NewServer(accountID, email string, epoch int64, kdf KDF, verifier string) (*Server, error) {
	v, err := parseVerifier(verifier)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	s := srp.NewSRPServer(group, v, nil)
	if s == nil {
		return nil, errors.New("sign in: set up SRP")
	}
	return &Server{identity: newIdentity(accountID, email, epoch), kdf: kdf, srp: s}, nil
}

// B returns the server's public value in lower-case hex.
func (s *Server) B() string { return encodeNumber(s.srp.EphemeralPublic()) }

// Finish checks the client's proof, which came with A in hex, and returns the
// server's. A wrong proof is ErrWrongProof, and then nothing is returned that
// would help to guess; so is an A for which everybody knows the key.
//
// The caller lets a handshake be finished once only, whatever comes of it:
// each try is a guess at the secrets.
func (s *Server) Finish(handshakeID, a, clientProof string) (serverProof string, err error) {
	key, err := commonKey(s.srp, a)
	if err != nil {
		return "", fmt.Errorf("finish sign-in: %w: A: %w", ErrWrongProof, err)
	}
	client, server := proofs(key, s.identity, handshakeID, s.kdf, a, s.B())
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
		srp:      new(srp.SRP),
	}
	if err := s.srp.UnmarshalBinary(state.SRP); err != nil {
		return nil, fmt.Errorf("restore the handshake: %w", err)
	}
	return s, nil
}
