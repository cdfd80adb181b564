package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// An authority speaks ACME (RFC 8555) to one client, believes it everything, counts what a real one counts, and fails
// as a test wants. What a real one does is tested with pebble.
type authority struct {
	t   *testing.T
	url string
	ca  *x509.Certificate
	key *ecdsa.PrivateKey

	mu      sync.Mutex
	offers  []string // kinds of challenges
	proves  []string // those that pass
	names   func(csr *x509.CertificateRequest) []string
	refuse  func(path string) (status int, kind string) // zero for none; -1 closes the connection
	contact []string
	known   bool // the account
	now     func() time.Time

	orders    []*order
	validated []string // kinds of challenges, as they were checked
	issued    int
	updates   int // of the account
}

type order struct {
	status, authorization string
	chain                 []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority"}, NotBefore: time.Unix(0, 0),
		NotAfter: time.Now().AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, ca: ca, key: key, offers: []string{byTLS, byHTTP}, proves: []string{byTLS, byHTTP},
		now:    time.Now,
		names:  func(csr *x509.CertificateRequest) []string { return csr.DNSNames },
		refuse: func(string) (int, string) { return 0, "" }}
	server := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Replay-Nonce", "nonce")
	status, kind := a.refuse(r.URL.Path)
	switch {
	case status < 0:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
		return
	case status > 0:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"urn:ietf:params:acme:error:%s","detail":"as the test wants"}`, kind)
		return
	}
	payload := a.payload(r)
	resource, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	number, _ := strconv.Atoi(id)
	switch resource {
	case "directory":
		a.answer(w, http.StatusOK, map[string]string{
			"newNonce": a.url + "/nonce", "newAccount": a.url + "/account", "newOrder": a.url + "/order",
		})
	case "nonce":
	case "account":
		a.account(w, payload, id != "")
	case "order":
		if id == "" {
			a.orders = append(a.orders, &order{status: "pending", authorization: "pending"})
			number = len(a.orders)
			w.Header().Set("Location", fmt.Sprintf("%s/order/%d", a.url, number))
			a.tell(w, http.StatusCreated, number)
			return
		}
		a.tell(w, http.StatusOK, number)
	case "authorization":
		a.authorization(w, number)
	case "challenge":
		a.check(w, number)
	case "finalize":
		a.issue(number, payload)
		a.tell(w, http.StatusOK, number)
	case "certificate":
		_, _ = w.Write(a.orders[number-1].chain)
	default:
		a.t.Errorf("a request for %s", r.URL.Path)
	}
}

// payload returns what a JWS holds, without verifying it.
func (a *authority) payload(r *http.Request) []byte {
	text, err := io.ReadAll(r.Body)
	if err != nil || len(text) == 0 {
		return nil
	}
	var jws struct{ Payload string }
	if err := json.Unmarshal(text, &jws); err != nil {
		a.t.Error(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err != nil {
		a.t.Error(err)
	}
	return payload
}

func (a *authority) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		a.t.Error(err)
	}
}

// account answers a registration, also one that finds the account, and the update of one.
func (a *authority) account(w http.ResponseWriter, payload []byte, update bool) {
	var asked struct {
		Contact []string `json:"contact"`
	}
	if err := json.Unmarshal(payload, &asked); err != nil {
		a.t.Error(err)
	}
	status := http.StatusOK
	switch {
	case !a.known:
		a.known, a.contact, status = true, asked.Contact, http.StatusCreated
	case update && asked.Contact != nil:
		a.updates++
		a.contact = asked.Contact
	}
	w.Header().Set("Location", a.url+"/account/1")
	a.answer(w, status, map[string]any{"status": "valid", "contact": a.contact})
}

func (a *authority) tell(w http.ResponseWriter, status, number int) {
	a.answer(w, status, map[string]any{
		"status":         a.orders[number-1].status,
		"authorizations": []string{fmt.Sprintf("%s/authorization/%d", a.url, number)},
		"finalize":       fmt.Sprintf("%s/finalize/%d", a.url, number),
		"certificate":    fmt.Sprintf("%s/certificate/%d", a.url, number),
	})
}

func (a *authority) authorization(w http.ResponseWriter, number int) {
	var challenges []map[string]any
	for _, kind := range a.offers {
		challenges = append(challenges, map[string]any{
			"type": kind, "token": "token", "status": "pending",
			"url":   fmt.Sprintf("%s/challenge/%d", a.url, number*10+slices.Index(a.offers, kind)),
			"error": map[string]any{"type": "urn:ietf:params:acme:error:connection", "detail": "no " + kind},
		})
	}
	a.answer(w, http.StatusOK, map[string]any{
		"status": a.orders[number-1].authorization, "challenges": challenges,
		"identifier": map[string]string{"type": "dns", "value": "x"},
	})
}

func (a *authority) check(w http.ResponseWriter, number int) {
	kind, o := a.offers[number%10], a.orders[number/10-1]
	a.validated = append(a.validated, kind)
	o.status, o.authorization = "ready", "valid"
	if !slices.Contains(a.proves, kind) {
		o.status, o.authorization = "invalid", "invalid"
	}
	a.answer(w, http.StatusOK, map[string]any{"type": kind, "status": "processing", "token": "token",
		"url": fmt.Sprintf("%s/challenge/%d", a.url, number)})
}

func (a *authority) issue(number int, payload []byte) {
	var asked struct {
		CSR string `json:"csr"`
	}
	err := json.Unmarshal(payload, &asked)
	var der []byte
	if err == nil {
		der, err = base64.RawURLEncoding.DecodeString(asked.CSR)
	}
	var csr *x509.CertificateRequest
	if err == nil {
		csr, err = x509.ParseCertificateRequest(der)
	}
	if err != nil {
		a.t.Error(err)
		return
	}
	a.issued++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(a.issued + 1)), DNSNames: a.names(csr),
		NotBefore: a.now().Add(-time.Hour), NotAfter: a.now().AddDate(0, 0, 90),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err = x509.CreateCertificate(rand.Reader, template, a.ca, csr.PublicKey, a.key)
	if err != nil {
		a.t.Error(err)
		return
	}
	o := a.orders[number-1]
	o.status = "valid"
	for _, der := range [][]byte{der, a.ca.Raw} {
		o.chain = append(o.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
}
