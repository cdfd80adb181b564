package httpkit

import (
	"net/http"
	"time"
)

// Limits of both public servers. Their clients send small requests and read
// small answers; a slower client only holds a connection.
// A handler that needs longer for an admitted request extends the deadline with an
// http.ResponseController.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 90 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 16 << 10

	// Of HTTP/2: a connection may have as many requests at once as RFC 9113 (6.5.2) wants at least, and send
	// ahead of what is read only what many connections of strangers may, too.
	maxStreams       = 100
	maxUnreadStream  = 128 << 10
	maxUnreadInTotal = 256 << 10
)

// NewServer returns an HTTP server within these limits, for a [Listener].
func NewServer(h http.Handler, events *EventLog) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerStream:     maxUnreadStream,
			MaxReceiveBufferPerConnection: maxUnreadInTotal,
		},
		ErrorLog:    events.ServerLog(),
		ConnContext: withConn,
	}
}
