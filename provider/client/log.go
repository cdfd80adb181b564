package client

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"
)

// logged logs every request at TF_LOG=DEBUG, without queries, headers and bodies, which
// may contain secrets. Secrets that an error quotes are masked.
type logged struct {
	next    http.RoundTripper
	secrets []string
}

// RoundTrip implements http.RoundTripper.
func (l *logged) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := l.next.RoundTrip(req)
	fields := map[string]any{
		"method": req.Method, "host": req.URL.Host, "path": req.URL.Path,
		"duration": time.Since(began).Round(time.Microsecond).String(),
	}
	if err != nil {
		fields["error"] = withoutURL(err)
	} else {
		fields["status"] = resp.StatusCode
		fields["request_id"] = resp.Header.Get("X-Request-Id")
	}
	tflog.Debug(tflog.MaskLogStrings(req.Context(), l.secrets...), "request", fields)
	return resp, err
}

// withoutURL returns an error's text without the URL that net/http quotes.
func withoutURL(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*url.Error](err); ok {
		text = strings.Replace(text, e.Error(), e.Err.Error(), 1)
	}
	return text
}

// given returns the secrets that are not empty.
func given(secrets ...string) (all []string) {
	for _, s := range secrets {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}
