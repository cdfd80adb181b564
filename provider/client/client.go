// Package client is the provider's client of the account API: which calls of a run are
// repeated and for how long, which lists a run reads only once, and a diagnostic with a
// remedy for every error. The transport is in bridge/account/client.
//
// It owns no resource and knows no schema. The operations are described in
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

// DefaultTimeout limits one call to the account, including its repetitions.
const DefaultTimeout = 30 * time.Second

// DefaultConflictTimeout is how long a firewall change that would lock out the caller or a
// bridge is repeated, since another change of the run may allow it. A creation of an
// existing object is repeated for a third of that.
const DefaultConflictTimeout = 30 * time.Second

// maxWrites is the maximum number of concurrent writes, regardless of Terraform's
// parallelism: the account has one writer.
const maxWrites = 16

// Config is the resolved provider block.
type Config struct {
	URL              string // base address of the account service
	Token            string // admin token
	CACertificatePEM string // trusted in addition to the system's certificates; may be empty
	Timeout          time.Duration
	MonitoringToken  string // reads a bridge's /health; may be empty
	UserAgent        string
	ConflictTimeout  time.Duration // DefaultConflictTimeout if zero

	// Unknown are the arguments that are not known yet. Every call of such a client
	// fails with their names.
	Unknown []string
	// NoAccount is set if neither URL nor Token is configured. Such a client is only for
	// what needs no account: see WithoutAccount.
	NoAccount bool
}

// Client is a client of one account with one admin token. It is the provider data of all
// resources and data sources.
type Client struct {
	// API makes the calls; Call decodes their results.
	API *api.Client
	// URL is account_url as configured; bridges use it too.
	URL string
	// HTTP has the configured certificates and no credentials. It is for addresses other
	// than the account's, such as a bridge's.
	HTTP *http.Client
	// MonitoringToken reads a bridge's /health; may be empty.
	MonitoringToken string

	unknown         []string
	noAccount       bool
	conflictTimeout time.Duration

	applying atomic.Bool // a write has begun
	standoff standoff
	firewall shared[*Firewall]
	domains  shared[map[string]api.SignupDomain]

	mu     sync.Mutex
	notes  map[string]bool
	perRun map[reflect.Type]any // see PerRun

	callerMu sync.Mutex
	caller   *api.Caller
}

// New validates the configuration and returns a client. It does not call the account.
func New(config Config) (*Client, error) {
	if config.NoAccount {
		config.Unknown = accountArguments
	}
	c := &Client{
		URL:             strings.TrimSuffix(config.URL, "/"),
		MonitoringToken: config.MonitoringToken,
		unknown:         config.Unknown,
		noAccount:       config.NoAccount,
		notes:           make(map[string]bool),
		conflictTimeout: cmp.Or(config.ConflictTimeout, DefaultConflictTimeout),
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

// checkURL refuses invalid addresses, and those that would send the admin token in clear.
// It does not quote an invalid one, which may contain the token or be the token.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("account_url is not a URL; it must look like https://account.example.com")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("account_url must look like https://account.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("account_url must have only a scheme, a host and optionally a path; " +
			"credentials belong in account_token")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Errorf("account_url %q would send the account token in clear; "+
			"use https (http is for loopback addresses only)", text)
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func certificates(pem string) (*x509.CertPool, error) {
	if pem == "" {
		return nil, nil // the system's certificates
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, errors.New("ca_certificate_pem contains no certificate in PEM form")
	}
	return pool, nil
}

// Of returns the client in the provider data of a resource or data source; nil without a
// diagnostic before the provider is configured. A provider without an account is an error.
func Of(providerData any, diags *diag.Diagnostics) *Client {
	c := WithoutAccount(providerData, diags)
	if c != nil && c.noAccount {
		for _, name := range accountArguments {
			diags.Append(Missing(name))
		}
	}
	return c
}

// accountArguments are the provider's arguments for the account.
var accountArguments = []string{"account_url", "account_token"}

// Missing is the error for an argument of the provider that is not set.
func Missing(name string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Missing "+name, fmt.Sprintf("Set %s in the provider block, or SCIMBRIDGE_%s in "+
		"the environment.", name, strings.ToUpper(name)))
}

// WithoutAccount is Of for what needs no account: its calls to one fail.
func WithoutAccount(providerData any, diags *diag.Diagnostics) *Client {
	if providerData == nil {
		return nil
	}
	c, ok := providerData.(*Client)
	if !ok {
		diags.AddError("Unexpected type of provider data",
			fmt.Sprintf("expected *client.Client, got %T; this is a bug in the provider", providerData))
	}
	return c
}

// Known reports whether calls can be made. If not, checks in the plan are skipped.
func (c *Client) Known() bool { return c != nil && len(c.unknown) == 0 }

// An Error is a refusal by the account, or an answer that is not the account's.
type Error = account.Error

// Nothing is the result of a 204.
type Nothing = account.Nothing

// Call decodes an answer of the API. A refusal is an *Error:
//
//	rule, err := client.Call[api.FirewallRule](c.API.GetFirewallRule(ctx, id))
func Call[T any](resp *http.Response, err error) (T, error) { return account.Call[T](resp, err) }

// Code returns the code of the account's refusal, or "" if err is not one.
func Code(err error) api.ErrorCode { return account.Code(err) }

// Caller returns the token's account, and the caller's address as the account sees it. It
// asks only once.
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
