package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// answered is an answer with a body.
func answered(status int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body))}
}

var (
	jsonType    = http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	problemType = http.Header{"Content-Type": {"application/problem+json"}}
	htmlType    = http.Header{"Content-Type": {"text/html"}, "Server": {"nginx"}}
)

func TestWhatAnAnswerBecomes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		header http.Header
		body   string
		value  string        // the caller's id
		code   api.ErrorCode // of the error
		says   string        // in the error
	}{
		{"a value", 200, jsonType, `{"account_id":"acc_1"}`, "acc_1", "", ""},
		{"what was made", 201, jsonType, `{"account_id":"acc_1"}`, "acc_1", "", ""},
		{"nothing", 204, nil, "", "", "", ""},
		{"a refusal", 409, problemType, `{"code":"already_exists","title":"No","detail":"it is there",` +
			`"request_id":"req_1"}`,
			"",
			"already_exists", "the account answered 409 already_exists: it is there (request id req_1)"},
		{"a refusal without a detail", 403, problemType, `{"code":"firewall_blocked","title":"Blocked"}`, "",
			"firewall_blocked", "the account answered 403 firewall_blocked: Blocked"},
		{"a problem document without a code", 403, problemType, `{"title":"No"}`, "", "",
			"something else than the account answered 403"},
		{"a page in its place", 200, htmlType, "<html>", "", "",
			`something else than the account answered 200 OK of the type "text/html" from "nginx"`},
		{"an error page in its place", 502, htmlType, "<html>", "", "",
			"something else than the account answered 502 Bad Gateway"},
		{"a redirect", 302, http.Header{"Location": {"https://elsewhere"}}, "", "", "",
			`302 Found to "https://elsewhere"`},
		{"a body that is no JSON", 200, jsonType, "<html>", "", "", "reading the account's answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := Call[api.Caller](answered(row.status, row.header, row.body), nil)
			if got.AccountId != row.value || Code(err) != row.code || (err != nil) != (row.says != "") ||
				err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %q and %v, want %q and %q", got.AccountId, err, row.value, row.says)
			}
		})
	}
}

// A member that is added to the details is in this test by itself.
func TestEveryTextOfAProblemDocumentIsBounded(t *testing.T) {
	t.Parallel()
	var problem api.Problem
	fill(reflect.ValueOf(&problem).Elem())
	problem.Code = api.ErrorCodeInternal
	body, err := json.Marshal(problem)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Call[Nothing](answered(500, problemType, string(body)), nil)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Foreign != "" || e.Problem.Details == nil {
		t.Fatalf("got %v", err)
	}
	checkBounded(t, "problem", reflect.ValueOf(e.Problem))
	if values := e.Problem.Details.Rule.Values; values != nil {
		t.Errorf("a part of the rule's %d values would be another rule", len(*values))
	}
}

// fill gives every text of v 8,000 bytes with line breaks, and every list 200 items.
func fill(v reflect.Value) {
	switch kind := v.Kind(); {
	case kind == reflect.String:
		v.SetString(strings.Repeat("x\n", 4000))
	case kind == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 200, 200))
		for i := range v.Len() {
			v.Index(i).SetString("x\n" + strings.Repeat("x", 400))
		}
	case kind == reflect.Pointer && v.Type() != reflect.TypeFor[*time.Time]():
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case kind == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

func checkBounded(t *testing.T, at string, v reflect.Value) {
	t.Helper()
	switch kind := v.Kind(); {
	case kind == reflect.String:
		if text := v.String(); text == "" || len(text) > maxPath || strings.Contains(text, "\n") {
			t.Errorf("%s has %d bytes, in lines: %v", at, len(text), strings.Contains(text, "\n"))
		}
	case kind == reflect.Slice:
		if v.Len() > maxListed {
			t.Errorf("%s has %d items", at, v.Len())
			return
		}
		for i := range v.Len() {
			checkBounded(t, at, v.Index(i))
		}
	case kind == reflect.Pointer && !v.IsNil():
		checkBounded(t, at, v.Elem())
	case kind == reflect.Struct:
		for i := range v.NumField() {
			checkBounded(t, at+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, value string
		least, most time.Duration
	}{
		{"seconds", "20", 20 * time.Second, 20 * time.Second},
		{"a date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 59 * time.Minute, time.Hour},
		{"a date that is past", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0, 0},
		{"more seconds than a duration holds", "9223372036854775807", time.Hour, maxRetryAfter * time.Second},
		{"a negative number", "-1", 0, 0},
		{"nothing", "", 0, 0},
		{"a word", "soon", 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {row.value}}
			_, err := Call[Nothing](answered(503, header, `{"code":"internal"}`), nil)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.RetryAfter < row.least || e.RetryAfter > row.most {
				t.Errorf("got %+v, want %s to %s", e, row.least, row.most)
			}
		})
	}
}

// Something else than an account may announce what it likes.
func TestAnAnswerTakesMemoryForWhatArrives(t *testing.T) {
	t.Parallel()
	text, err := readAll(strings.NewReader("{}"), 1<<62)
	if err != nil || string(text) != "{}" || cap(text) > 2<<20 {
		t.Errorf("%q in %d bytes, %v", text, cap(text), err)
	}
	large := bytes.Repeat([]byte("x"), 20<<20)
	if text, err := readAll(bytes.NewReader(large), int64(len(large))); err != nil || !bytes.Equal(text, large) {
		t.Errorf("%d of %d bytes arrived, %v", len(text), len(large), err)
	}
}
