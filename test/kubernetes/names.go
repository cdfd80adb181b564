//go:build engines

package kubernetes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// domain is that of the cluster's names.
const domain = "cluster.local"

// serveNames serves the names of Services to pods, in the place of CoreDNS: NAME.NAMESPACE.svc.cluster.local, by UDP.
func (c *Cluster) serveNames() {
	c.t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(c.t.Context(), "udp", Node+":53")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	ctx, api := context.WithoutCancel(c.t.Context()), c.client()
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			if answer := answer(ctx, api, query[:n]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
}

// client returns one for the API server, as the administrator.
func (c *Cluster) client() *http.Client {
	c.t.Helper()
	pair, err := tls.LoadX509KeyPair(c.path("admin.pem"), c.path("admin.key"))
	if err != nil {
		c.t.Fatal(err)
	}
	ca, err := os.ReadFile(c.path("ca.pem"))
	if err != nil {
		c.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12,
	}}}
}

// answer returns the answer to a query; nil if it is none, or the API server does not answer: who asks then asks again.
func answer(ctx context.Context, api *http.Client, query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	question := m.Questions[0]
	m.Header = dnsmessage.Header{
		ID: m.ID, Response: true, Authoritative: true, RecursionDesired: m.RecursionDesired, RecursionAvailable: true,
	}
	m.Additionals = nil
	address, ok := locate(ctx, api, strings.ToLower(question.Name.String()))
	switch {
	case !ok:
		return nil
	case !address.IsValid():
		m.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 5},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}

// locate returns the address of a Service, none if there is no such name; ok is false if that is not known.
func locate(ctx context.Context, api *http.Client, name string) (address netip.Addr, ok bool) {
	service, found := strings.CutSuffix(name, ".svc."+domain+".")
	labels := strings.Split(service, ".")
	if !found || len(labels) != 2 {
		return netip.Addr{}, true
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"https://"+Node+":6443/api/v1/namespaces/"+labels[1]+"/services/"+labels[0], nil)
	if err != nil {
		return netip.Addr{}, true
	}
	resp, err := api.Do(req)
	if err != nil {
		return netip.Addr{}, false
	}
	defer resp.Body.Close()
	var object struct {
		Spec struct {
			ClusterIP string `json:"clusterIP"`
		} `json:"spec"`
	}
	if resp.StatusCode == http.StatusNotFound {
		return netip.Addr{}, true
	}
	if json.NewDecoder(resp.Body).Decode(&object) != nil {
		return netip.Addr{}, false
	}
	address, err = netip.ParseAddr(object.Spec.ClusterIP)
	return address, err == nil
}
