package httpkit

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"
)

// bodyTimeout is how long a client that has shown no secret may take to send
// a body, which is a small one.
const bodyTimeout = 5 * time.Second

// A Request is what is known of one request beside what it says of itself.
// Until it has shown a secret it is a stranger's: its body must be small and
// quick, it is logged in aggregate, and its connection is the first to be
// closed when there are too many.
type Request struct {
	// ID is the one under which the log knows the request; the client is told it.
	ID string
	// Client is where it comes from.
	Client netip.Addr

	// What follows is filled in on the way, for the access log.

	// Route is the name of the request's route, from a closed set. The pattern
	// of an [http.ServeMux] will do.
	Route string
	// Quiet requests are logged for debugging only, unless they are refused: machines make them every few seconds, or
	// another log has them.
	Quiet bool
	// Look is set if a tool of an operator reads in the identity provider's way.
	Look bool
	// HasPlace is set if the request has a place in a fair.Queue of this process: what it asks of another server in the
	// same process needs none there.
	HasPlace bool
	// Caller is what its secret says of the caller: the kind of token, or the
	// caller's id; empty for none.
	Caller string
	// Code is the code of the problem that was answered; empty for none.
	Code string
	// Cause is the cause of an internal error; Fail sets it.
	Cause error
	// Unsent is why the client did not get all of the answer: it has disconnected, or is too slow. That is no fault of
	// this server, and nobody can act on it.
	Unsent error
	// Counted is set if the refusal is in an EventLog already.
	Counted bool

	admitted bool
	hurried  bool // the body must arrive within bodyTimeout
	began    time.Time
	control  *http.ResponseController
}

type requestKey struct{}

// LiveHeader marks requests that nobody asked for: those of the status page's script.
const LiveHeader = "X-Live-Refresh"

// Begin gives a request its record. It must be called first, once.
func Begin(w http.ResponseWriter, r *http.Request, trusted []netip.Prefix) (*http.Request, *Request) {
	x := &Request{
		ID: rand.Text(), Client: Client(r, trusted), began: time.Now(), control: http.NewResponseController(w),
		hurried: r.ContentLength != 0, HasPlace: RequestFrom(r.Context()).HasPlace,
	}
	if x.hurried {
		// Within the same process there is no connection, and no deadline of it.
		_ = x.control.SetReadDeadline(x.began.Add(bodyTimeout))
	}
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, x)), x
}

// RequestFrom returns the record of the request that ctx belongs to; an empty
// one if it has none.
func RequestFrom(ctx context.Context) *Request {
	if x, ok := ctx.Value(requestKey{}).(*Request); ok {
		return x
	}
	return &Request{}
}

// Admit notes that the request has shown a secret that is right.
func Admit(ctx context.Context) {
	x := RequestFrom(ctx)
	if x.admitted {
		return
	}
	x.admitted = true
	x.arrived()
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		c.admitted.Store(true)
	}
}

// Fail notes the cause of an internal error. What follows from a client that has disconnected is none.
func (x *Request) Fail(cause error) {
	switch {
	case x.Unsent != nil:
	case errors.Is(cause, context.Canceled):
		x.Unsent = cause
	default:
		x.Cause = cmp.Or(x.Cause, cause)
	}
}

// AnswerWithin keeps the connection until the given time after the request's
// beginning, for an answer that is sent by then.
func (x *Request) AnswerWithin(limit time.Duration) {
	if x.control != nil {
		// Within the same process there is no connection, and no deadline of it.
		_ = x.control.SetWriteDeadline(x.began.Add(limit))
	}
}

// arrived ends the deadline of a stranger's body.
func (x *Request) arrived() {
	if x.hurried {
		x.hurried = false
		_ = x.control.SetReadDeadline(x.began.Add(readTimeout))
	}
}

// ReadBody reads the body of a request, at most limit bytes; more is an
// *http.MaxBytesError. It allocates for what arrives, not for what is
// announced.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil { // a request that never was on a wire
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		RequestFrom(r.Context()).arrived()
	}
	return body, err
}

// ParseForm parses the form in the body of a request, at most limit bytes.
func ParseForm(w http.ResponseWriter, r *http.Request, limit int64) error {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	err := r.ParseForm()
	if err == nil {
		RequestFrom(r.Context()).arrived()
	}
	return err
}

// ID is the id of the request that ctx belongs to; a new one if it has none.
func ID(ctx context.Context) string {
	if id := RequestFrom(ctx).ID; id != "" {
		return id
	}
	return rand.Text()
}
