package providertest

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A Fault is what happens to one request to the account.
type Fault func(w http.ResponseWriter, r *http.Request, account http.Handler)

// TurnedAway answers the request with a problem document; it never reaches the account.
func TurnedAway(status int) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"about:blank","title":"A fault","status":%d,"code":"fault"}`, status)
	}
}

// AnswerLost forwards the request and drops its response.
func AnswerLost(_ http.ResponseWriter, r *http.Request, account http.Handler) {
	account.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// AnswerCut forwards the request and half of its response.
func AnswerCut(w http.ResponseWriter, r *http.Request, account http.Handler) {
	whole := httptest.NewRecorder()
	account.ServeHTTP(whole, r)
	w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
	w.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	panic(http.ErrAbortHandler)
}

// Behind serves the account behind a faulty network: the first two requests with
// the method and path meet the fault. It returns the provider block that uses
// it, and a function that reports whether a request has met the fault.
func (a *Account) Behind(t *testing.T, method, path string, do Fault) (provider string, met func() bool) {
	t.Helper()
	target, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, http.ErrAbortHandler) {
			w.WriteHeader(http.StatusBadGateway)
		}
	}
	var mu sync.Mutex
	times := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		faulty := times < 2 && r.Method == method && strings.HasPrefix(r.URL.Path, path)
		if faulty {
			times++
		}
		mu.Unlock()
		if faulty {
			do(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(a.ProviderBlock(), a.URL, server.URL, 1), func() bool {
		mu.Lock()
		defer mu.Unlock()
		return times > 0
	}
}
