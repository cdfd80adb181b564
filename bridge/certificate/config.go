package certificate

import "crypto/tls"

// Config returns the TLS configuration of a server that shows the certificate that get
// returns, by HTTP/2 or HTTP/1.1.
func Config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: get,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}
