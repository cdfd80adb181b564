package httpkit

import (
	"bytes"
	"net/http"
	"time"
)

// A Recorder is an [http.ResponseWriter] that keeps the answer: of a request
// within this process, or of one that is answered after a commit. The zero
// value is ready to use.
type Recorder struct {
	Body   bytes.Buffer
	header http.Header
	status int
}

// Header implements [http.ResponseWriter].
func (r *Recorder) Header() http.Header {
	if r.header == nil {
		r.header = make(http.Header)
	}
	return r.header
}

// WriteHeader implements [http.ResponseWriter]. The first final status counts,
// as it does on a connection.
func (r *Recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
}

// Write implements [http.ResponseWriter].
func (r *Recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.Body.Write(p)
}

// SetReadDeadline does nothing, as there is no connection. [http.ResponseController] makes an error where it is
// missing, which costs more than the rest of a request's beginning.
func (r *Recorder) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, as SetReadDeadline.
func (r *Recorder) SetWriteDeadline(time.Time) error { return nil }

// Status returns the status of the answer, which is 200 if nothing set it.
func (r *Recorder) Status() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
