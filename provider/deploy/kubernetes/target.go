package kubernetes

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// A Target is a Deployment and what belongs to it, in a namespace of a cluster.
type Target struct {
	Config Config
	Access cluster.Config

	opened *cluster.Client
}

var _ deploy.Target = (*Target)(nil)

// ID returns the deployment's id.
func (t *Target) ID() string { return "kubernetes:" + t.Config.Namespace + "/" + t.Config.Name }

// Place is the ID.
func (t *Target) Place() string { return t.ID() }

// URL returns the URL of the Service inside the cluster.
func (t *Target) URL() string { return t.Config.url() }

func (c Config) url() string {
	address := "http://" + c.Name + "." + c.Namespace + ".svc"
	if port := c.service().Port; port != DefaultServicePort {
		address += fmt.Sprintf(":%d", port)
	}
	return address
}

// Conflict refuses two deployments with one name in a namespace.
func (t *Target) Conflict(name string, other deploy.Target, otherName string) error {
	o, ok := other.(*Target)
	if !ok || t.ID() != o.ID() {
		return nil
	}
	return &deploy.ArgumentError{Argument: "name", Title: "Two deployments with one name", Err: fmt.Errorf(
		"the deployments %q and %q are both %s/%s. Give each its own name",
		otherName, name, t.Config.Namespace, t.Config.Name)}
}

// Source returns the image.
func (t *Target) Source() string { return t.Config.Image }

// Program returns the image, whose version is known when it runs.
func (t *Target) Program(context.Context) (deploy.Program, error) {
	return deploy.Program{Configured: t.Config.Image, Digest: t.Config.Image}, nil
}

// Fetch returns Program: the nodes pull the image.
func (t *Target) Fetch(ctx context.Context) (deploy.Program, error) { return t.Program(ctx) }

// Gap returns a reason if a patch makes Kubernetes end the old pods first. Otherwise they are
// replaced one by one, and what is written to the Service changes it in place.
func (t *Target) Gap(deploy.Target) string {
	o, err := design{record: record{Config: t.Config}}.deployment()
	if err != nil {
		return "" // told elsewhere
	}
	if textAt(o, "spec", "strategy", "type") == "Recreate" {
		return `patch sets the strategy "Recreate", which ends the old pods before new ones start`
	}
	scaled := func(name string, roundUp bool) int {
		value := intstr.FromString("25%") // Kubernetes' default
		if set := at(o, "spec", "strategy", "rollingUpdate", name); set != nil {
			value = intstr.Parse(fmt.Sprint(set))
		}
		n, err := intstr.GetScaledValueFromIntOrPercent(&value, int(t.Config.Replicas), roundUp)
		if err != nil {
			return 0 // the API server refuses it
		}
		return n
	}
	ending := scaled("maxUnavailable", false)
	if ending == 0 && scaled("maxSurge", true) == 0 {
		ending = 1 // as the controller does, which could replace nothing otherwise
	}
	if ending > 0 && ending >= int(t.Config.Replicas) {
		return "patch lets Kubernetes end all old pods before new ones are ready (maxUnavailable)"
	}
	return ""
}

// Build returns the input of the revision: the image, and all else that is in the pods.
func (t *Target) Build(digest string) string {
	in := record{Config: Config{Image: digest, Pod: t.Config.Pod, Patch: t.Config.Patch}}
	return in.String()
}

// Keep does nothing: what an image is called does not change during a run.
func (t *Target) Keep(string) {}

func (t *Target) client() (*cluster.Client, error) {
	if t.opened != nil {
		return t.opened, nil
	}
	if len(t.Access.Unknown) > 0 {
		return nil, fmt.Errorf("%s of the provider's configuration: %w", strings.Join(t.Access.Unknown, ", "),
			deploy.ErrUndetermined)
	}
	c, err := cluster.Open(t.Access)
	t.opened = c
	return c, err
}

// explain makes the error of a cluster that cannot be asked a *deploy.AwayError.
func explain(err error) error {
	if away, ok := errors.AsType[*cluster.AwayError](err); ok {
		return &deploy.AwayError{API: "cluster " + away.Host, Err: err}
	}
	return err
}

// Create deploys to a place where nothing is deployed. If it fails, it removes what it has made.
func (t *Target) Create(ctx context.Context, spec deploy.Spec, revision string, token session.Token) (err error) {
	c, err := t.client()
	if err != nil {
		return err
	}
	if _, err := c.Get(ctx, cluster.Namespaces, "", t.Config.Namespace); errors.Is(err, cluster.ErrNotFound) {
		return &deploy.ArgumentError{Argument: "namespace", Title: "No such namespace", Err: fmt.Errorf(
			"the namespace %q does not exist at %s. This resource makes none: make it with a kubernetes_namespace_v1, "+
				"on which this resource depends", t.Config.Namespace, c.Host())}
	} // a user without the right to read namespaces may still deploy into one
	switch found, err := t.look(ctx); {
	case err == nil:
		return &deploy.ExistsError{Name: found.record.Name}
	case !errors.Is(err, deploy.ErrAbsent):
		return err
	}
	d := design{record: newRecord(t.Config, spec, revision), session: spec.Session}
	if err := errors.Join(d.setToken(spec, token, ""), d.setMonitoring(spec.Monitoring, snapshot{})); err != nil {
		return err
	}
	d.loaded = d.mark // the pods start with it
	parts, err := d.parts()
	if err != nil {
		return err
	}
	if err := t.checkVacant(ctx, parts); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			err = errors.Join(err, t.remove(cleaning, c))
		}
	}()
	if err := t.apply(ctx, c, parts); err != nil {
		return err
	}
	return t.roll(ctx, c, revision, token)
}

// checkVacant refuses names that objects of others have.
func (t *Target) checkVacant(ctx context.Context, parts []part) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	for _, p := range parts {
		o, err := c.Get(ctx, p.kind, t.Config.Namespace, p.name())
		if errors.Is(err, cluster.ErrNotFound) || err == nil && t.Config.belongs(o) {
			continue
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("the %s %s/%s exists, and this resource has not made it: choose another name, or remove "+
			"that object",
			p.kind.Name, t.Config.Namespace, p.name())
	}
	return nil
}

// setToken sets the token to store: the given one, or else the one that is stored.
func (d *design) setToken(spec deploy.Spec, token session.Token, stored string) error {
	switch {
	case spec.Unseal != deploy.UnsealStored:
		return nil
	case !token.IsZero():
		d.token = token.Reveal()
		return nil
	case opens(stored, spec.Session):
		d.token = stored
		return nil
	}
	return errors.New(`with unseal = "stored", no token is stored that opens the session: set unseal_token_wo`)
}

// opens reports whether a stored token is the session's. The previous one of a bundle is not valid after the overlap.
func opens(stored, sealed string) bool {
	token, err := session.ParseToken(strings.TrimSpace(stored))
	if err != nil {
		return false
	}
	file, err := session.Parse(sealed)
	return err == nil && token.Fingerprint() == file.Entries[0].Header.TokenFingerprint
}

// apply makes the objects, and removes those that the configuration no longer wants.
func (t *Target) apply(ctx context.Context, c *cluster.Client, parts []part) error {
	for _, p := range parts {
		deploy.Log(ctx, fmt.Sprintf("applying the %s %s/%s", p.kind.Name, t.Config.Namespace, p.name()))
		if _, err := c.Apply(ctx, p.kind, p.object); err != nil {
			return err
		}
	}
	for _, k := range []cluster.Kind{cluster.Budgets, cluster.Policies} {
		if slices.ContainsFunc(parts, func(p part) bool { return p.kind == k }) {
			continue
		}
		if err := t.removeKind(ctx, c, k, nil); err != nil {
			return err
		}
	}
	return nil
}

// removeKind removes the deployment's objects of a kind, but those with a name in keep.
func (t *Target) removeKind(ctx context.Context, c *cluster.Client, k cluster.Kind, keep []string) error {
	all, err := c.List(ctx, k, t.Config.Namespace, t.Config.selectorText())
	if err != nil {
		return err
	}
	for _, o := range all {
		name := textAt(o, "metadata", "name")
		if slices.Contains(keep, name) {
			continue
		}
		if err := c.Delete(ctx, k, t.Config.Namespace, name); err != nil {
			return err
		}
	}
	return nil
}

// Update implements deploy.Target. Pods are replaced if what is in them changes.
func (t *Target) Update(ctx context.Context, spec deploy.Spec, revision string, token session.Token) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	found, err := t.look(ctx)
	if err != nil {
		return err
	}
	d := design{record: newRecord(t.Config, spec, revision), session: spec.Session, scaled: found.scaled}
	if found.revision() == revision {
		d.redeployed = found.redeployed()
		if found.hasUnreadable(ctx, c) { // a bridge reads its session when it starts
			d.redeployed = now()
		}
	}
	if err := errors.Join(d.setToken(spec, token, found.token), d.setMonitoring(spec.Monitoring, found)); err != nil {
		return err
	}
	return t.replace(ctx, c, found, d, token)
}

// Redeploy replaces the pods with new ones of the same revision.
func (t *Target) Redeploy(ctx context.Context, token session.Token) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	found, err := t.look(ctx)
	if err != nil {
		return err
	}
	if found.lost != "" {
		return errors.New(found.lost)
	}
	if found.session == "" {
		return errors.New("the Secret with the session is missing or damaged: run terraform apply to write it again")
	}
	d := found.design()
	if d.Monitoring != nil && !deploy.IsMarked(d.mark, d.monitoring) {
		return deploy.ErrNoMonitoringToken
	}
	if d.Unseal != deploy.UnsealStored && token.IsZero() {
		return errors.New("the new bridges would stay sealed, since their token is not stored: set unseal_token_file")
	}
	t.Config = d.Config
	d.redeployed = now()
	return t.replace(ctx, c, found, d, token)
}

func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }

// replace makes the deployment as designed. If its bridges cannot run, it makes it as it was before.
func (t *Target) replace(ctx context.Context, c *cluster.Client, found snapshot, d design, token session.Token) error {
	d.loaded = ""
	parts, err := d.parts()
	if err != nil {
		return err
	}
	if err := t.checkVacant(ctx, parts); err != nil {
		return err
	}
	if err = t.apply(ctx, c, parts); err == nil {
		err = t.roll(ctx, c, d.Revision, token)
	}
	if err == nil && d.Monitoring != nil {
		err = t.loadMonitoring(ctx, c, d)
	}
	switch {
	case err == nil:
		return t.removeKind(ctx, c, cluster.Secrets, d.secretNames())
	case found.deployment == nil || found.lost != "" || found.session == "":
		return err // there is nothing to go back to
	}
	old := found.design()
	if d.monitoring != old.monitoring {
		old.loaded = "" // a bridge may have loaded the new one
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	parts, failed := old.parts()
	if failed == nil {
		failed = t.apply(back, c, parts)
	}
	if failed == nil {
		failed = t.removeKind(back, c, cluster.Secrets, old.secretNames())
	}
	if failed != nil {
		return errors.Join(err, fmt.Errorf("the Deployment could not be set back: %w", failed))
	}
	if t.Gap(t) != "" {
		return fmt.Errorf("the old bridges are started again: %w", err)
	}
	return fmt.Errorf("the old bridges are still running: %w", err)
}

// Destroy removes all objects, and waits until the pods are gone.
func (t *Target) Destroy(ctx context.Context) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	return t.remove(ctx, c)
}

// removed are the kinds of objects, in the order in which they are removed: those with the record last, so that the
// deployment is still found if this ends halfway.
var removed = []cluster.Kind{
	cluster.Deployments, cluster.Services, cluster.Budgets, cluster.Policies, cluster.ServiceAccounts, cluster.Secrets,
}

func (t *Target) remove(ctx context.Context, c *cluster.Client) error {
	for _, k := range removed {
		if err := t.removeKind(ctx, c, k, nil); err != nil {
			return err
		}
		if k != cluster.Deployments {
			continue
		}
		if err := t.awaitNoPods(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (t *Target) awaitNoPods(ctx context.Context, c *cluster.Client) error {
	for before := 0; ; {
		pods, err := c.List(ctx, cluster.Pods, t.Config.Namespace, t.Config.selectorText())
		if ctx.Err() != nil {
			return fmt.Errorf("%w, and not all pods are gone: the Deployment is deleted, the rest follows with the "+
				"next destroy",
				deploy.Ended(ctx))
		}
		if err != nil || len(pods) == 0 {
			return err
		}
		if len(pods) != before {
			before = len(pods)
			deploy.Log(ctx, fmt.Sprintf("waiting until %d pods have ended", before))
		}
		select {
		case <-ctx.Done():
		case <-time.After(tick):
		}
	}
}

// tick is the interval at which the API is asked.
const tick = 500 * time.Millisecond

// decode returns a value of a Secret; empty if there is none.
func decode(secret object, key string) string {
	text, err := base64.StdEncoding.DecodeString(textAt(secret, "data", key))
	if err != nil {
		return ""
	}
	return string(text)
}
