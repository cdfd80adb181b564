package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/csaupgrade"
	"k8s.io/client-go/util/exec"
	"k8s.io/client-go/util/retry"
	"k8s.io/streaming/pkg/httpstream"
)

// FieldManager is the name under which the API server keeps which fields are ours.
const FieldManager = "scimbridge"

// ManagedLabel is a label that every object of ours has, with FieldManager as its value.
const ManagedLabel = "app.kubernetes.io/managed-by"

// An Object is one of the cluster, as JSON has it.
type Object = map[string]any

// A Kind is a kind of objects in namespaces.
type Kind struct{ Group, Version, Name, Plural string }

// The kinds that are used.
var (
	Namespaces      = Kind{"", "v1", "Namespace", "namespaces"}
	Pods            = Kind{"", "v1", "Pod", "pods"}
	Events          = Kind{"", "v1", "Event", "events"}
	Secrets         = Kind{"", "v1", "Secret", "secrets"}
	Services        = Kind{"", "v1", "Service", "services"}
	ServiceAccounts = Kind{"", "v1", "ServiceAccount", "serviceaccounts"}
	Deployments     = Kind{"apps", "v1", "Deployment", "deployments"}
	ReplicaSets     = Kind{"apps", "v1", "ReplicaSet", "replicasets"}
	Budgets         = Kind{"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"}
	Policies        = Kind{"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"}
	Autoscalers     = Kind{"autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"}
)

// APIVersion is the kind's, as an object has it.
func (k Kind) APIVersion() string { return strings.TrimPrefix(k.Group+"/"+k.Version, "/") }

func (k Kind) resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Plural}
}

// A Client calls the API of one cluster.
type Client struct {
	dynamic dynamic.Interface
	http    *http.Client
	config  *rest.Config
	origin  string // of the configuration
}

// ErrNotFound is the error for an object that does not exist.
var ErrNotFound = errors.New("not found")

// IsForbidden reports whether the error is that the user lacks a right.
func IsForbidden(err error) bool { return apierrors.IsForbidden(err) }

// Host is the address of the API.
func (c *Client) Host() string { return c.config.Host }

func (c *Client) in(k Kind, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return c.dynamic.Resource(k.resource())
	}
	return c.dynamic.Resource(k.resource()).Namespace(namespace)
}

// Get returns an object, or ErrNotFound.
func (c *Client) Get(ctx context.Context, k Kind, namespace, name string) (Object, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	o, err := c.in(k, namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return o.Object, nil
}

// List returns the objects that a selector of labels selects.
func (c *Client) List(ctx context.Context, k Kind, namespace, selector string) ([]Object, error) {
	return c.list(ctx, k, namespace, metav1.ListOptions{LabelSelector: selector})
}

// EventsOf returns the events of an object.
func (c *Client) EventsOf(ctx context.Context, namespace, uid string) ([]Object, error) {
	return c.list(ctx, Events, namespace, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + uid})
}

func (c *Client) list(ctx context.Context, k Kind, namespace string, options metav1.ListOptions) ([]Object, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	all, err := c.in(k, namespace).List(ctx, options)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	objects := make([]Object, len(all.Items))
	for i := range all.Items {
		objects[i] = all.Items[i].Object
	}
	return objects, nil
}

// Apply makes the fields of an object ours, with the values that it has, and gives up those that it has not. What a
// person or a program has once written there is overwritten. A field that another program keeps applying is a
// *ConflictError.
func (c *Client) Apply(ctx context.Context, k Kind, o Object) (Object, error) {
	u := &unstructured.Unstructured{Object: o}
	ctx, cancel := within(ctx)
	defer cancel()
	objects := c.in(k, u.GetNamespace())
	applied, err := objects.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: FieldManager})
	if apierrors.IsConflict(err) {
		if conflict := toConflict(k, u, err); conflict != nil {
			return nil, conflict
		}
		applied, err = objects.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	}
	if err == nil {
		applied, err = c.inherit(ctx, objects, applied, u)
	}
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return applied.Object, nil
}

// inherit takes an applied object from managers that had it before us, and applies it again:
// otherwise their fields would stay that we no longer apply.
func (c *Client) inherit(ctx context.Context, objects dynamic.ResourceInterface,
	applied, u *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	if len(formerManagers(applied.GetManagedFields())) == 0 {
		return applied, nil
	}
	// A controller that has written the object meanwhile, its status for instance, is a conflict.
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		latest, err := objects.Get(ctx, u.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		before := formerManagers(latest.GetManagedFields())
		patch, err := csaupgrade.UpgradeManagedFieldsPatch(latest, before, FieldManager)
		if err != nil || patch == nil {
			return err
		}
		_, err = objects.Patch(ctx, u.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return objects.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
}

// formerManagers returns the managers that have written one of our objects as a whole, by an update: the program that
// restored it from a backup, or the one that the API server invents for an object whose managers somebody has cleared.
func formerManagers(entries []metav1.ManagedFieldsEntry) sets.Set[string] {
	former := sets.New[string]()
	for _, entry := range entries {
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" && entry.FieldsV1 != nil &&
			strings.Contains(entry.FieldsV1.GetRawString(), `"f:`+ManagedLabel+`"`) {
			former.Insert(entry.Manager)
		}
	}
	return former
}

// A ConflictError is the error for fields that another field manager owns.
type ConflictError struct {
	Object string
	Fields []string // each with its manager
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s is managed by another program, too: %s. Leave the field to one of them: take the object "+
		"out of the other program's configuration, or give the deployment another name",
		e.Object, strings.Join(e.Fields, "; "))
}

// toConflict returns the conflicts that must not be overridden. What was written once, by an update, is a
// change behind Terraform's back, as the plan has shown it. A program that applies will apply again.
func toConflict(k Kind, u *unstructured.Unstructured, err error) error {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || status.ErrStatus.Details == nil {
		return nil
	}
	conflict := &ConflictError{Object: fmt.Sprintf("the %s %s/%s", k.Name, u.GetNamespace(), u.GetName())}
	for _, cause := range status.ErrStatus.Details.Causes {
		// The API server describes an update as: conflict with "kubectl" with subresource "scale" using apps/v1
		manager := strings.TrimPrefix(cause.Message, "conflict with ")
		applied := !strings.Contains(manager, " using ")
		if cause.Type == metav1.CauseTypeFieldManagerConflict && applied {
			conflict.Fields = append(conflict.Fields, fmt.Sprintf("%s owns the field %s", manager, cause.Field))
		}
	}
	if len(conflict.Fields) == 0 {
		return nil
	}
	slices.Sort(conflict.Fields)
	return conflict
}

// Delete deletes an object, and what it owns before it. It returns nil if there is none.
func (c *Client) Delete(ctx context.Context, k Kind, namespace, name string) error {
	ctx, cancel := within(ctx)
	defer cancel()
	policy := metav1.DeletePropagationForeground
	err := c.in(k, namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err = c.explain(ctx, err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Log returns the last lines of a container's log, or of its run before the last; empty if there is none.
func (c *Client) Log(ctx context.Context, namespace, pod, container string, previous bool) string {
	const lines, bytes = 12, 4 << 10
	query := url.Values{"container": {container}, "tailLines": {strconv.Itoa(lines)}}
	if previous {
		query.Set("previous", "true")
	}
	ctx, cancel := within(ctx)
	defer cancel()
	address, err := c.address(namespace, pod, "log", query)
	if err != nil {
		return ""
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return ""
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return strings.TrimSpace(string(text[max(0, len(text)-bytes):]))
}

func (c *Client) address(namespace, pod, sub string, query url.Values) (*url.URL, error) {
	base, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return nil, err
	}
	address := base.JoinPath("api/v1/namespaces", namespace, "pods", pod, sub)
	address.RawQuery = query.Encode()
	return address, nil
}

// An ExitError is the error for a command that ended with another code than 0.
type ExitError struct {
	Code   int
	Output string // on standard error
}

func (e *ExitError) Error() string { return e.Output }

// Exec runs a command in a container and returns what it printed. The standard input is in no log of the API server.
func (c *Client) Exec(ctx context.Context, namespace, pod, container string, stdin io.Reader, command ...string) (
	[]byte, error,
) {
	ctx, cancel := within(ctx)
	defer cancel()
	query := url.Values{"container": {container}, "command": command, "stdout": {"true"}, "stderr": {"true"}}
	if stdin != nil {
		query.Set("stdin", "true")
	}
	address, err := c.address(namespace, pod, "exec", query)
	if err != nil {
		return nil, err
	}
	socket, err := remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, address.String())
	if err != nil {
		return nil, err
	}
	stream, err := remotecommand.NewSPDYExecutor(c.config, http.MethodPost, address)
	if err != nil {
		return nil, err
	}
	// A proxy before the API server may know only one of them.
	executor, err := remotecommand.NewFallbackExecutor(socket, stream, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return nil, err
	}
	var out, faults bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: &out, Stderr: &faults})
	if exit, ok := errors.AsType[exec.CodeExitError](err); ok {
		return out.Bytes(), &ExitError{exit.Code, strings.TrimSpace(faults.String())}
	}
	return out.Bytes(), c.explain(ctx, err)
}

// explain returns an error that says what to do; nil for nil.
func (c *Client) explain(ctx context.Context, err error) error {
	status, answered := errors.AsType[*apierrors.StatusError](err)
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case apierrors.IsUnauthorized(err):
		return &AwayError{c.config.Host, fmt.Errorf("the Kubernetes API at %s refuses the credentials (%s): %w",
			c.config.Host, c.origin, err)}
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the Kubernetes API refuses this: %w", err)
	case answered && status.ErrStatus.Code != 0:
		return fmt.Errorf("the Kubernetes API: %w", err)
	case errors.Is(context.Cause(ctx), errTimeout):
		err = errTimeout
	case errors.Is(context.Cause(ctx), context.Canceled):
		return ErrInterrupted
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // its address has the whole query
	}
	return &AwayError{c.config.Host, fmt.Errorf("the Kubernetes API at %s (%s) does not answer: %w", c.config.Host,
		c.origin, err)}
}

// An AwayError is the error for an API that cannot be asked.
type AwayError struct {
	Host string // the address, or where it would be from
	Err  error
}

func (e *AwayError) Error() string { return e.Err.Error() }

func (e *AwayError) Unwrap() error { return e.Err }

// ErrInterrupted is the error for a call that ended because the run was stopped.
var ErrInterrupted = errors.New("the run was interrupted")
