// Package client is the provider's use of the account API: what of a run's
// calls is made again, and for how long; what a run asks only once; and a
// diagnostic, for every error, that a person can act on. The way to the
// account itself is bridge/account/client.
//
// It owns no resource and knows no schema. What an operation means is said in
// bridge/account/api/openapi.yaml.
package client

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	account "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
)

// DefaultTimeout bounds one call to the account, its repetitions included.
const DefaultTimeout = 30 * time.Second

// DefaultPatience is how long a firewall change that would lock out the caller
// or a bridge is tried again, since another change of the run may let it in. A
// creation that meets an existing object waits a third of that.
const DefaultPatience = 30 * time.Second

// maxWrites is how many writes are on their way at the same time, however
// parallel Terraform works: the account has one writer.
const maxWrites = 16

// Config is the provider block, resolved.
type Config struct {
	URL              string // base address of the account service
	Token            string // admin token
	CACertificatePEM string // trusted besides the system's certificates; may be empty
	Timeout          time.Duration
	MonitoringToken  string // reads a bridge's /health; may be empty
	UserAgent        string
	Patience         time.Duration // DefaultPatience if zero

	// Unknown names the arguments that Terraform does not know yet. Such a
	// client is whole, but every call fails and says which they are.
	Unknown []string
}

// Client reaches one account with one admin token. It is what every part of
// the provider gets as its provider data.
type Client struct {
	// API makes the calls; hand their results to Call.
	API *api.Client
	// URL is account_url as configured; bridges are told to use it too.
	URL string
	// HTTP has the configured certificates and no credentials: for addresses
	// other than the account's, a bridge's status for instance.
	HTTP *http.Client
	// MonitoringToken reads a bridge's /health; may be empty.
	MonitoringToken string

	unknown  []string
	patience time.Duration

	applying atomic.Bool // some write was begun
	standoff standoff
	firewall shared[*Firewall]
	domains  shared[map[string]api.SignupDomain]

	mu     sync.Mutex
	notes  map[string]bool
	perRun map[reflect.Type]any // see PerRun

	callerMu sync.Mutex
	caller   *api.Caller
}

// New checks the configuration and makes a client. It does not call the account.
func New(config Config) (*Client, error) {
	c := &Client{
		URL:             strings.TrimSuffix(config.URL, "/"),
		MonitoringToken: config.MonitoringToken,
		unknown:         config.Unknown,
		notes:           make(map[string]bool),
		patience:        cmp.Or(config.Patience, DefaultPatience),
		perRun:          make(map[reflect.Type]any),
	}
	if len(config.Unknown) == 0 {
		if err := checkURL(config.URL); err != nil {
			return nil, err
		}
	}
	roots, err := certificates(config.CACertificatePEM)
	if err != nil {
		return nil, err
	}
	if config.Timeout <= 0 {
		config.Timeout = DefaultTimeout
	}
	transport := &logged{
		next:    account.NewTransport(netip.Addr{}, roots),
		secrets: given(config.Token, config.MonitoringToken),
	}
	c.HTTP = &http.Client{Transport: transport, Timeout: config.Timeout}
	c.API, err = account.New(account.Config{
		URL: c.URL, Transport: transport, UserAgent: config.UserAgent, Token: config.Token,
		Through: func(next api.HttpRequestDoer) api.HttpRequestDoer {
			return &retryTransport{
				next: next, unknown: config.Unknown, limit: config.Timeout, pause: backoff,
				wrote: c.wrote, freeing: c.standoff.begin, writing: make(chan struct{}, maxWrites),
			}
		},
	})
	return c, err
}

// checkURL refuses addresses that cannot be right, and those that would show
// the admin token to the network. It does not repeat one that cannot be read:
// the token may be in it, or in its place.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("account_url is no URL; it must look like https://account.example.com")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("account_url must look like https://account.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("account_url must hold a scheme, a host and perhaps a path, and nothing else; " +
			"credentials belong in account_token")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Errorf("account_url %q would send the account token in clear; use https (http is for loopback addresses "+
			"only)", text)
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func certificates(pem string) (*x509.CertPool, error) {
	if pem == "" {
		return nil, nil // the system's
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, errors.New("ca_certificate_pem holds no certificate in PEM form")
	}
	return pool, nil
}

// Of returns the client in the provider data of a resource or data source; nil,
// without a diagnostic, while the provider is not configured yet.
func Of(providerData any, diags *diag.Diagnostics) *Client {
	if providerData == nil {
		return nil
	}
	c, ok := providerData.(*Client)
	if !ok {
		diags.AddError("Provider data of a foreign type",
			fmt.Sprintf("expected *client.Client, got %T; this is a bug in the provider", providerData))
	}
	return c
}

// Known reports whether calls can be made; when not, checks at plan time are skipped.
func (c *Client) Known() bool { return c != nil && len(c.unknown) == 0 }

// An Error is a refusal by the account, or an answer of something else in its place.
type Error = account.Error

// Nothing is what a 204 answers.
type Nothing = account.Nothing

// Call turns an answer of the API into its value, or an *Error when the
// account refused:
//
//	rule, err := client.Call[api.FirewallRule](c.API.GetFirewallRule(ctx, id))
func Call[T any](resp *http.Response, err error) (T, error) { return account.Call[T](resp, err) }

// Code is the account's code for the refusal, empty when err is none.
func Code(err error) api.ErrorCode { return account.Code(err) }

// Caller returns the token's owner, and the caller's address, as the
// account sees them. It asks once.
func (c *Client) Caller(ctx context.Context) (api.Caller, error) {
	c.callerMu.Lock()
	defer c.callerMu.Unlock()
	if c.caller == nil {
		caller, err := Call[api.Caller](c.API.WhoAmI(ctx))
		if err != nil {
			return api.Caller{}, err
		}
		c.caller = &caller
	}
	return *c.caller, nil
}
