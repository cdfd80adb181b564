package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// A field that another manager has as well stays in the object when we leave it out.
func TestWhoHadAnObjectBefore(t *testing.T) {
	t.Parallel()
	whole := `{"f:metadata":{"f:labels":{"f:app.kubernetes.io/managed-by":{}}},"f:spec":{"f:replicas":{}}}`
	entry := func(manager, operation, subresource, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationType(operation), Subresource: subresource,
			FieldsV1: metav1.NewFieldsV1(fields),
		}
	}
	for _, row := range []struct {
		name  string
		entry metav1.ManagedFieldsEntry
		want  []string
	}{
		{"a backup that was restored", entry("velero-server", "Update", "", whole), []string{"velero-server"}},
		{"an object whose managers were cleared", entry("before-first-apply", "Update", "", whole),
			[]string{"before-first-apply"}},
		{"an edit by hand", entry("kubectl-edit", "Update", "", `{"f:spec":{"f:replicas":{}}}`), nil},
		{"a program that applies it, which is a conflict", entry("argocd", "Apply", "", whole), nil},
		{"a controller's status", entry("kube-controller-manager", "Update", "status", whole), nil},
		{"this provider", entry(FieldManager, "Apply", "", whole), nil},
		{"an entry without fields", metav1.ManagedFieldsEntry{Manager: "x", Operation: "Update"}, nil},
	} {
		got := sets.List(formerManagers([]metav1.ManagedFieldsEntry{row.entry}))
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// serve starts an API that answers everything with a status, and returns a client of it.
func serve(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := Open(Config{Host: server.URL, Token: "secret-token"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func status(code int, reason string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"code":%d}`,
			reason, "it says why", code)
	}
}

// Of a cluster that cannot be asked nothing is known. Of one that refuses something, something is.
func TestWhichErrorsMeanThatAClusterIsAway(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	closed, err := Open(Config{Host: gone.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		client *Client
		away   bool
		want   string
	}{
		{"nothing is at its address", closed, true, "connection refused"},
		{"it refuses the credentials", serve(t, status(http.StatusUnauthorized, "Unauthorized")), true,
			"refuses the credentials"},
		{"it forbids this", serve(t, status(http.StatusForbidden, "Forbidden")), false, "refuses this: it says why"},
		{"it fails", serve(t, status(http.StatusInternalServerError, "InternalError")), false, "it says why"},
		{"there is no such object", serve(t, status(http.StatusNotFound, "NotFound")), false, "not found"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := row.client.Get(t.Context(), Deployments, "scim", "bridge")
			if _, away := errors.AsType[*AwayError](err); away != row.away || err == nil ||
				!strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "secret-token") {
				t.Errorf("away %t: %v; want %t, %q", away, err, row.away, row.want)
			}
		})
	}
}

func TestWhyACallEndedEarly(t *testing.T) {
	t.Parallel()
	ours := errors.New("timed out after 1s (timeouts.update)")
	for _, row := range []struct {
		name string
		end  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		{"the run was interrupted", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, ErrInterrupted},
		{"the time of the resource is over", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, 0, ours)
		}, ours},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := row.end(t.Context())
			defer cancel()
			_, err := serve(t, status(http.StatusOK, "")).Get(ctx, Deployments, "scim", "bridge")
			if _, away := errors.AsType[*AwayError](err); away || !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

func TestACredentialThatCannotBeUsedIsToldByItsPlace(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "config")
	if err := os.WriteFile(broken, []byte("apiVersion: v1\nkind: Config\ncurrent-context: gone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"KUBE_CONFIG_PATH", "KUBE_CONFIG_PATHS", "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
	} {
		t.Setenv(name, "")
	}
	for _, row := range []struct {
		name   string
		config Config
		want   string
	}{
		{"nothing is configured", Config{}, "config_path"},
		{"there is no such file", Config{ConfigPaths: []string{filepath.Join(dir, "none")}}, "none"},
		{"its context does not exist", Config{ConfigPaths: []string{broken}}, broken},
		{"a certificate is none", Config{Host: "https://127.0.0.1:1", ClusterCACertificate: "nonsense"},
			"cannot be used"},
	} {
		_, err := Open(row.config)
		if _, away := errors.AsType[*AwayError](err); !away || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

func TestACommandIsFoundFromTheWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	script := `#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "the-token"}}'
`
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer the-token" {
			t.Errorf("asked with %q", got)
		}
		status(http.StatusNotFound, "NotFound")(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := Open(Config{Host: server.URL, Insecure: true, Exec: &Exec{
		APIVersion: "client.authentication.k8s.io/v1", Command: "./credentials",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), Deployments, "scim", "bridge"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// A controller writes the status of an object while its fields are taken over.
func TestAnObjectThatChangesMeanwhileIsTakenOver(t *testing.T) {
	t.Parallel()
	const object = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"bridge","namespace":"scim",
		"resourceVersion":"7","managedFields":[{"manager":"before-first-apply","operation":"Update",
		"apiVersion":"apps/v1","fieldsType":"FieldsV1",
		"fieldsV1":{"f:metadata":{"f:labels":{"f:app.kubernetes.io/managed-by":{}}}}}]}}`
	var taken, applied int
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Content-Type") {
		case "application/json-patch+json":
			if taken++; taken == 1 {
				status(http.StatusConflict, "Conflict")(w, r)
				return
			}
		case "application/apply-patch+yaml":
			applied++
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, object)
	})
	_, err := c.Apply(t.Context(), Deployments, Object{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": Object{"name": "bridge", "namespace": "scim"},
	})
	if err != nil || taken != 2 || applied != 2 {
		t.Errorf("taken over %d times and applied %d times, error %v; want 2, 2", taken, applied, err)
	}
}
