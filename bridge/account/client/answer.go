package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// Nothing is what a 204 answers.
type Nothing struct{}

// A Decoder reads itself from an answer. It is for values that every request
// reads, and that need not be decoded to be passed on.
type Decoder interface {
	DecodeAnswer(text []byte) error
}

// maxAnswer bounds what is read of an answer. A group of 100,000 members with
// their names is some 15 MB, a whole firewall 16 MiB and its ids and versions.
const maxAnswer = 128 << 20

// announcedAnswer bounds what is allocated for an answer because of its
// Content-Length, before any of it has arrived.
const announcedAnswer = 1 << 20

// Call turns an answer of the API into its value, or into an *Error, and closes it:
//
//	rule, err := client.Call[api.FirewallRule](account.GetFirewallRule(ctx, id))
func Call[T any](resp *http.Response, err error) (value T, _ error) {
	if err != nil {
		return value, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
	case http.StatusNoContent:
		// To its end, so that the connection can be used again.
		_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		return value, err
	default:
		return value, errorOf(resp)
	}
	if mediaType(resp) != "application/json" {
		return value, foreign(resp)
	}
	text, err := ReadBody(resp)
	if err == nil {
		err = decode(text, &value)
	}
	if err != nil {
		return value, fmt.Errorf("reading the account's answer: %w", err)
	}
	return value, nil
}

func decode(text []byte, value any) error {
	if d, ok := value.(Decoder); ok {
		return d.DecodeAnswer(text)
	}
	return json.Unmarshal(text, value)
}

// ReadBody reads an answer's body, which must be closed by the caller.
func ReadBody(resp *http.Response) ([]byte, error) {
	return readAll(resp.Body, resp.ContentLength)
}

// readAll reads a body whose length is known, mostly, at once.
func readAll(body io.Reader, length int64) ([]byte, error) {
	var b bytes.Buffer
	if length > 0 {
		b.Grow(int(min(length, announcedAnswer)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(body, maxAnswer+1))
	if err == nil && b.Len() > maxAnswer {
		err = fmt.Errorf("larger than %d MiB", maxAnswer>>20)
	}
	return b.Bytes(), err
}

func mediaType(resp *http.Response) string {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind
}
