package httpkit_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

func TestBearerToken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, header, want string }{
		{"a token", "Bearer abc", "abc"},
		{"the scheme has no case", "bEARER abc", "abc"},
		{"spaces around it do not matter", "Bearer   abc ", "abc"},
		{"another scheme", "Basic abc", ""},
		{"a scheme that begins alike", "Bearers abc", ""},
		{"the scheme alone", "Bearer", ""},
		{"a token of spaces", "Bearer   ", ""},
		{"no header", "", ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", row.header)
		if got := httpkit.BearerToken(r); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestARecorderKeepsTheAnswerThatAConnectionWouldHaveSent(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		serve  func(http.ResponseWriter)
		status int
		body   string
	}{
		{"nothing is a 200", func(http.ResponseWriter) {}, 200, ""},
		{"a body alone is a 200", func(w http.ResponseWriter) { _, _ = w.Write([]byte("a")) }, 200, "a"},
		{"the first status counts", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			w.WriteHeader(http.StatusInternalServerError)
		}, 404, ""},
		{"a status after the body is too late", func(w http.ResponseWriter) {
			_, _ = w.Write([]byte("a"))
			w.WriteHeader(http.StatusInternalServerError)
		}, 200, "a"},
		{"an informational status is not the answer", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
		}, 201, ""},
	} {
		var kept httpkit.Recorder
		row.serve(&kept)
		kept.Header().Set("ETag", "x")
		if kept.Status() != row.status || kept.Body.String() != row.body || kept.Header().Get("ETag") != "x" {
			t.Errorf("%s: %d %q %v", row.name, kept.Status(), kept.Body.String(), kept.Header())
		}
	}
}

func TestEntityTags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		headers []string
		want    []string
	}{
		{"one", []string{`"a"`}, []string{`"a"`}},
		{"weak ones are strong here", []string{`W/"a"`}, []string{`"a"`}},
		{"several in one header", []string{`"a", W/"b" ,"c"`}, []string{`"a"`, `"b"`, `"c"`}},
		{"several headers", []string{`"a"`, `"b"`}, []string{`"a"`, `"b"`}},
		{"any", []string{"*"}, []string{"*"}},
		{"an empty header", []string{"", " , "}, nil},
		{"none", nil, nil},
	} {
		if got := httpkit.EntityTags(row.headers); !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, method, known, etag string
		answered, want            int
	}{
		{"a known version has no body", http.MethodGet, `"old", W/"v1"`, `"v1"`, 200, 304},
		{"any version is known", http.MethodGet, "*", `"v1"`, 200, 304},
		{"a HEAD is answered as its GET would be", http.MethodHead, `"v1"`, `"v1"`, 200, 304},
		{"another version is sent", http.MethodGet, `"old"`, `"v1"`, 200, 200},
		{"an answer without a version is sent", http.MethodGet, "*", "", 200, 200},
		{"a problem is sent", http.MethodGet, "*", `"v1"`, 404, 404},
		{"a write is no question", http.MethodPost, "*", `"v1"`, 200, 200},
	} {
		r := httptest.NewRequestWithContext(t.Context(), row.method, "/", nil)
		r.Header.Set("If-None-Match", row.known)
		sent := httptest.NewRecorder()
		w := httpkit.NotModified(sent, r)
		w.Header().Set("Content-Type", "application/json")
		if row.etag != "" {
			w.Header().Set("ETag", row.etag)
		}
		w.WriteHeader(row.answered)
		if n, err := w.Write([]byte("{}")); n != 2 || err != nil {
			t.Errorf("%s: wrote %d, %v", row.name, n, err)
		}
		silent := row.want == http.StatusNotModified
		if sent.Code != row.want || (sent.Body.Len() == 0) != silent ||
			(sent.Header().Get("Content-Type") == "") != silent {
			t.Errorf("%s: %d %q %v", row.name, sent.Code, sent.Body, sent.Header())
		}
	}
}
