package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// SocketName is the socket of the serving bridge, in its data folder.
const SocketName = "control.sock"

// StandbySocket returns the socket of a bridge on standby, in the same data folder.
func StandbySocket(dataDir string, pid int) string {
	return filepath.Join(dataDir, "control."+strconv.Itoa(pid)+".sock")
}

// The paths of the socket.
const (
	PathStatus   = "/status"         // GET: a Status
	PathUnseal   = "/unseal"         // POST a Token: a Status, once the bridge is open
	PathSeal     = "/seal"           // POST: a Status, once the bridge is sealed
	PathJournal  = "/journal"        // POST a journal.Filter: a journal.Page
	PathBundle   = "/support-bundle" // GET: a support bundle
	PathReload   = "/reload"         // POST, or POST a Reload: ends when the bridge has done what SIGHUP asks for
	PathTakeOver = "/take-over"      // POST, to the bridge on standby: ends when it serves
	PathHandOver = "/hand-over"      // POST, by the bridge on standby: see Receive
	PathHolds    = "/holds"          // POST a HoldsQuery: a bridge.HoldPage
	PathDecide   = "/holds/decide"   // POST a bridge.HoldDecision: HoldsDecided
	PathExplain  = "/explain"        // POST an explain.Question: an explain.Answer; also a path of the bridge's own
)

// PathPreview is a path of the bridge itself: POST an explain.Preview: an explain.PreviewAnswer.
const PathPreview = "/preview"

// HeaderLook marks the reads of a tool in an operator's hands, such as a dry run, which has the bearer token but is no
// sign that the identity provider comes.
const HeaderLook = "X-Scimbridge-Look"

// The states of a bridge's connection. They are finer than those of Health, since a
// deployment must know what it waits for.
const (
	Starting          = "starting"
	Sealed            = "sealed"             // waits for the bearer token
	SessionUnreadable = "session_unreadable" // the session cannot be read
	SigningIn         = "signing_in"         // unsealed, but not yet signed in to the account
	Ready             = "ready"
	Refused           = "refused" // the account refused; the bridge retries
	Draining          = "draining"
)

// Status is the status that a bridge reports to its operator. It contains no secret.
type Status struct {
	Instance  string    `json:"instance"`
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Version   string    `json:"version"`
	// Revision is the value of --revision. ObservedRevision is the last one that ran in
	// this data folder, was unsealed and signed in once.
	Revision         string            `json:"revision"`
	ObservedRevision string            `json:"observed_revision"`
	State            string            `json:"connection"`
	Problems         []problem.Problem `json:"problems"`
	Health           health.Health     `json:"health"` // as GET /health shows it
	// EgressAddress is the bridge's address as the account last saw it, refused or not;
	// empty before the account's first answer.
	EgressAddress string `json:"egress_address"`
	// AccountID or DirectoryURL, Epoch and SessionFingerprint come from the session's header.
	// AccountURL is empty while the session is sealed and no --account-url was given.
	AccountID          string `json:"account_id"`
	DirectoryURL       string `json:"directory_url,omitempty"`
	AccountURL         string `json:"account_url"`
	SessionFingerprint string `json:"session_fingerprint"`
	Epoch              int64  `json:"epoch"`
	// Listen is the bound address, empty on standby.
	Listen    string `json:"listen"`
	PublicURL string `json:"public_url"`
}

// Token is the body of an unseal request.
type Token struct {
	Token string `json:"token"`
}

// Reload is the body of a request to reload; it may be left out.
type Reload struct {
	// MonitoringToken is the token that the bridge must find in its monitoring token file and then
	// use. If the file has another one, nothing is reloaded. Empty means any.
	MonitoringToken string `json:"monitoring_token,omitempty"`
}

// HoldsQuery asks for a page of what is held.
type HoldsQuery struct {
	Cursor string `json:"cursor,omitempty"`
	Limit  int    `json:"limit"`
}

// HoldsDecided is how many holds were decided, and why others stay held; empty if none do.
type HoldsDecided struct {
	Decided int64  `json:"decided"`
	Refused string `json:"refused,omitempty"`
}

// ErrNotRunning is the error if no bridge answers at the socket.
var ErrNotRunning = errors.New("no bridge is running there")

// An Error is a bridge's refusal or failure, and the body of every answer above 399.
type Error struct {
	Status int `json:"-"`
	// Code is a problem's code, or empty.
	Code   problem.Code `json:"code,omitempty"`
	Detail string       `json:"detail"`
	// Reason has more detail, only for callers on the bridge's machine.
	Reason string `json:"reason,omitempty"`
	// Previous is set for the previous token, and Expired with it if the end of its
	// overlap is known.
	Previous bool      `json:"previous,omitempty"`
	Expired  time.Time `json:"expired,omitzero"`
}

func (r *Error) Error() string {
	if r.Reason != "" {
		return r.Reason
	}
	return r.Detail
}

// A Client talks to one bridge.
type Client struct {
	path   string
	http   *http.Client
	secret *http.Client // sends only to a process of this user or root
}

// Dial returns a client for a socket. It connects with the first call.
func Dial(socketPath string) *Client {
	over := func(check func(*net.UnixConn) error) *http.Client {
		return &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, // another process may answer the next call
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := dial(ctx, socketPath)
				if err != nil {
					return nil, err
				}
				if err := check(conn); err != nil {
					conn.Close()
					return nil, err
				}
				return conn, nil
			},
		}}
	}
	return &Client{
		path:   socketPath,
		http:   over(func(*net.UnixConn) error { return nil }),
		secret: over(func(conn *net.UnixConn) error { return checkPeer(conn, filepath.Dir(socketPath)) }),
	}
}

// Status returns the bridge's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.call(ctx, http.MethodGet, PathStatus, &s)
}

// Unseal sends the bearer token to the bridge. It can be repeated. A wrong token is an
// *Error with problem.TokenRejected.
func (c *Client) Unseal(ctx context.Context, token string) (Status, error) {
	var s Status
	return s, c.callWith(ctx, c.secret, http.MethodPost, PathUnseal, Token{token}, &s)
}

// Seal makes the bridge forget its credentials, until the next right token. It can be repeated. A bridge that would
// unseal itself refuses with an *Error.
func (c *Client) Seal(ctx context.Context) (Status, error) {
	var s Status
	return s, c.call(ctx, http.MethodPost, PathSeal, &s)
}

// Reload tells the bridge to do what it does on SIGHUP, and returns when it is done. In a
// container nothing else can: some engines take any signal for a stop by hand, and then do
// not restart the container.
func (c *Client) Reload(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, PathReload, nil)
}

// ReloadMonitoring reloads the bridge if its monitoring token file has the token. Otherwise it
// changes nothing, and the error is an *Error with http.StatusConflict.
func (c *Client) ReloadMonitoring(ctx context.Context, token string) error {
	return c.callWith(ctx, c.secret, http.MethodPost, PathReload, Reload{MonitoringToken: token}, nil)
}

// Journal returns events that the bridge has recorded. A filter that asks for nothing that there is, is an *Error
// with http.StatusBadRequest.
func (c *Client) Journal(ctx context.Context, f journal.Filter) (journal.Page, error) {
	var p journal.Page
	return p, c.callWith(ctx, c.http, http.MethodPost, PathJournal, f, &p)
}

// SupportBundle writes a support bundle of the bridge to w.
func (c *Client) SupportBundle(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, c.http, http.MethodGet, PathBundle, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode > 399 {
		return c.refusal(resp)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("reading the support bundle of the bridge at %s: %w", c.path, err)
	}
	return nil
}

// Explain returns why a person or a group is in the account or is not. A question that asks for nobody is an *Error
// with http.StatusBadRequest.
func (c *Client) Explain(ctx context.Context, q explain.Question) (explain.Answer, error) {
	var a explain.Answer
	return a, c.callWith(ctx, c.http, http.MethodPost, PathExplain, q, &a)
}

// Holds returns what is held beyond a limit, from a cursor on.
func (c *Client) Holds(ctx context.Context, q HoldsQuery) (bridge.HoldPage, error) {
	var p bridge.HoldPage
	return p, c.callWith(ctx, c.http, http.MethodPost, PathHolds, q, &p)
}

// DecideHolds approves or cancels holds. If none of them is held, the error is an *Error with http.StatusConflict.
func (c *Client) DecideHolds(ctx context.Context, d bridge.HoldDecision) (HoldsDecided, error) {
	var decided HoldsDecided
	return decided, c.callWith(ctx, c.http, http.MethodPost, PathDecide, d, &decided)
}

// TakeOver tells a bridge on standby to replace the serving one. When it returns nil, the
// new bridge serves and answers at SocketName, and the old one drains.
func (c *Client) TakeOver(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, PathTakeOver, nil)
}

func (c *Client) call(ctx context.Context, method, path string, out any) error {
	return c.callWith(ctx, c.http, method, path, nil, out)
}

func (c *Client) callWith(ctx context.Context, client *http.Client, method, path string, in, out any) error {
	resp, err := c.send(ctx, client, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode > 399 {
		return c.refusal(resp)
	}
	answer, err := c.read(resp)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("reading the answer of the bridge at %s: %w", c.path, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, client *http.Client, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://bridge"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, notRunning(c.path, err)
	}
	return resp, nil
}

func (c *Client) read(resp *http.Response) ([]byte, error) {
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the bridge at %s: %w", c.path, err)
	}
	return answer, nil
}

// refusal returns the error in an answer.
func (c *Client) refusal(resp *http.Response) error {
	answer, err := c.read(resp)
	if err != nil {
		return err
	}
	r := &Error{Status: resp.StatusCode}
	if json.Unmarshal(answer, r) != nil || r.Detail == "" {
		r.Detail = "the bridge answered " + resp.Status
	}
	return r
}

// notRunning returns the error of a request that no bridge at path has answered.
func notRunning(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		err = ErrNotRunning
	}
	return fmt.Errorf("asking the bridge at %s: %w", path, err)
}
