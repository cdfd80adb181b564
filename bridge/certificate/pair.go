package certificate

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// A pair is a certificate with its chain and its key.
type pair struct {
	shown tls.Certificate
	chain []*x509.Certificate // the leaf first
}

func (p *pair) leaf() *x509.Certificate { return p.chain[0] }

// parse reads a pair from PEM texts, which may be the same. The names are those of the files,
// for errors.
func parse(chain, key []byte, chainName, keyName string) (*pair, error) {
	p := &pair{}
	blocks := blocksOf(chain)
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			continue
		}
		parsed, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in %s cannot be read: %w", len(p.chain)+1, chainName, err)
		}
		p.chain = append(p.chain, parsed)
		p.shown.Certificate = append(p.shown.Certificate, b.Bytes)
	}
	if len(p.chain) == 0 {
		return nil, fmt.Errorf("there is no certificate in %s%s", chainName, insteadOfCertificate(chain, blocks))
	}
	signer, err := parseKey(key, keyName)
	if err != nil {
		return nil, err
	}
	if at := p.position(signer); at < 0 {
		return nil, fmt.Errorf("the key in %s does not belong to the certificate in %s", keyName, chainName)
	} else if at > 0 {
		return nil, fmt.Errorf("the key in %s belongs to certificate %d in %s: that one must be the first, "+
			"followed by its issuers", keyName, at+1, chainName)
	}
	p.shown.PrivateKey, p.shown.Leaf = signer, p.leaf()
	return p, nil
}

// position returns which certificate of the chain a key belongs to; -1 for none.
func (p *pair) position(key crypto.Signer) int {
	for i, c := range p.chain {
		if public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && public.Equal(key.Public()) {
			return i
		}
	}
	return -1
}

func blocksOf(text []byte) (blocks []*pem.Block) {
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return blocks
		}
		blocks = append(blocks, b)
	}
}

// insteadOfCertificate describes what a file has in the place of certificates.
func insteadOfCertificate(text []byte, blocks []*pem.Block) string {
	for _, b := range blocks {
		if strings.Contains(b.Type, "PRIVATE KEY") {
			return ", but a private key: the two files may have been exchanged"
		}
	}
	if _, err := x509.ParseCertificates(text); err == nil && len(text) > 0 {
		return " in PEM form: it is in DER form, which `openssl x509 -inform der` converts"
	}
	return " in PEM form (-----BEGIN CERTIFICATE-----)"
}

// parseKey reads the first private key of a PEM text.
func parseKey(text []byte, name string) (crypto.Signer, error) {
	var certificates bool
	for _, b := range blocksOf(text) {
		switch {
		case b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "":
			return nil, fmt.Errorf("the key in %s is encrypted: write it without a passphrase, as "+
				"`openssl pkey -in KEY -out PLAIN` does", name)
		case b.Type == "PRIVATE KEY" || strings.HasSuffix(b.Type, " PRIVATE KEY"):
			signer, err := parseKeyBytes(b.Bytes)
			if err != nil {
				return nil, fmt.Errorf("the key in %s cannot be read: %w", name, err)
			}
			return signer, nil
		case b.Type == "CERTIFICATE":
			certificates = true
		}
	}
	switch {
	case certificates:
		return nil, fmt.Errorf("there is no private key in %s, but a certificate: "+
			"the two files may have been exchanged", name)
	case bytes.HasPrefix(text, []byte{0x30}): // an ASN.1 sequence
		return nil, fmt.Errorf("the key in %s is in DER form: `openssl pkey -inform der` converts it to PEM", name)
	default:
		return nil, fmt.Errorf("there is no private key in PEM form in %s", name)
	}
}

// parseKeyBytes reads PKCS #8, and the older forms of OpenSSL (RFC 8017, RFC 5915). Its errors
// do not say how reading failed, since that may quote bytes of the key.
func parseKeyBytes(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, errors.New("it is not of a kind that signs")
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("it is damaged, or of an unknown kind")
}
