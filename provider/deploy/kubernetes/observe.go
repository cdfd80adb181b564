package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// A snapshot is what there is of a deployment, but its pods.
type snapshot struct {
	record  record
	lost    string // why the record is missing or unreadable; empty if it is not
	session string // in the Secret that the pods read; empty if it is missing or damaged
	token   string // stored; may be empty

	monitoring, mark, loaded string // the monitoring token's, as they are stored; may be empty

	deployment object // nil if there is none
	scaled     int64  // how many replicas an autoscaler has set; 0 if there is none
	c          Config // its name and namespace
}

// look finds the deployment. It returns deploy.ErrAbsent if there is nothing of it.
func (t *Target) look(ctx context.Context) (s snapshot, err error) {
	c, err := t.client()
	if err != nil {
		return s, err
	}
	s.c = Config{Namespace: t.Config.Namespace, Name: t.Config.Name}
	s.deployment, err = c.Get(ctx, cluster.Deployments, s.c.Namespace, s.c.Name)
	if err != nil && !errors.Is(err, cluster.ErrNotFound) {
		return s, err
	}
	if s.deployment != nil && !s.c.belongs(s.deployment) {
		s.deployment = nil
	}
	secrets, err := c.List(ctx, cluster.Secrets, s.c.Namespace, s.c.selectorText())
	if err != nil {
		return s, err
	}
	if s.deployment == nil && len(secrets) == 0 {
		return s, deploy.ErrAbsent
	}
	if s.scaled, err = scaledReplicas(ctx, c, s.deployment, s.c); err != nil {
		return s, err
	}
	var faults []string
	holders := slices.DeleteFunc(slices.Clone(secrets), func(o object) bool { return annotation(o, recordKey) == "" })
	if s.deployment != nil {
		holders = slices.Insert(holders, 0, s.deployment)
	}
	found := false
	for _, o := range holders {
		r, err := readRecord(annotation(o, recordKey), s.c.Namespace, s.c.Name)
		if err == nil {
			s.record, found = r, true
			break
		}
		faults = append(faults, fmt.Sprintf("the %s %s/%s: %v", textAt(o, "kind"), s.c.Namespace,
			textAt(o, "metadata", "name"), err))
	}
	if !found {
		s.lost = strings.Join(faults, "; ")
		if s.lost == "" {
			s.lost = "neither the Deployment nor a Secret has the annotation " + recordKey
		}
	}
	s.readSecrets(secrets)
	return s, nil
}

// scaledReplicas returns the number of replicas, if an autoscaler sets it; else 0.
func scaledReplicas(ctx context.Context, c *cluster.Client, deployment object, in Config) (int64, error) {
	replicas, _ := at(deployment, "spec", "replicas").(int64)
	if replicas == 0 { // an autoscaler leaves it at that
		return 0, nil
	}
	all, err := c.List(ctx, cluster.Autoscalers, in.Namespace, "")
	if errors.Is(err, cluster.ErrNotFound) { // a cluster without such objects
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, o := range all {
		if textAt(o, "spec", "scaleTargetRef", "kind") == cluster.Deployments.Name &&
			textAt(o, "spec", "scaleTargetRef", "name") == in.Name {
			return replicas, nil
		}
	}
	return 0, nil
}

// readSecrets reads the Secrets that the pods read: those that the Deployment mounts, or else the record's.
func (s *snapshot) readSecrets(secrets []object) {
	recorded := design{record: s.record}
	recorded.Config.Name = s.c.Name // of a lost record, too
	names := map[string]string{
		"session": recorded.sessionName(), "token": recorded.tokenName(), "monitoring": recorded.monitoringName(),
	}
	volumes, _ := at(s.deployment, "spec", "template", "spec", "volumes").([]any)
	for _, volume := range volumes {
		if name := textAt(volume, "secret", "secretName"); name != "" {
			names[textAt(volume, "name")] = name
		}
	}
	for _, secret := range secrets {
		switch textAt(secret, "metadata", "name") {
		case names["session"]:
			if file, err := session.Parse(strings.TrimSpace(decode(secret, sessionKey))); err == nil {
				s.session = file.String()
			}
		case names["token"]:
			s.token = decode(secret, tokenKey)
		case names["monitoring"]:
			s.monitoring, s.mark = decode(secret, monitoringKey), decode(secret, markKey)
			s.loaded = decode(secret, loadedKey)
		}
	}
}

func annotation(o object, name string) string { return textAt(o, "metadata", "annotations", name) }

// design returns the deployment as it is recorded.
func (s snapshot) design() design {
	return design{record: s.record, session: s.session, token: s.token, monitoring: s.monitoring, mark: s.mark,
		loaded: s.loaded, redeployed: s.redeployed(), scaled: s.scaled}
}

func (s snapshot) redeployed() string {
	return textAt(s.deployment, "spec", "template", "metadata", "annotations", redeployedKey)
}

// revision is that of the Deployment's pods.
func (s snapshot) revision() string {
	_, revision, _ := readArguments(s.container())
	return revision
}

// container is the bridge's, in the Deployment.
func (s snapshot) container() object {
	containers, _ := at(s.deployment, "spec", "template", "spec", "containers").([]any)
	for _, c := range containers {
		if c, ok := c.(map[string]any); ok && c["name"] == containerName {
			return c
		}
	}
	return nil
}

// Observe reads the objects and asks the bridges.
func (t *Target) Observe(ctx context.Context) (deploy.State, error) {
	state, err := t.observe(ctx)
	return state, explain(err)
}

func (t *Target) observe(ctx context.Context) (deploy.State, error) {
	found, err := t.look(ctx)
	if err != nil {
		return deploy.State{}, err
	}
	c, err := t.client()
	if err != nil {
		return deploy.State{}, err
	}
	state := deploy.State{Spec: found.record.spec(), Revision: found.record.Revision, Lost: found.lost}
	state.Spec.Session = found.session
	if found.lost == "" {
		state.Drift, err = t.compare(ctx, c, found, &state)
		if err != nil {
			return deploy.State{}, err
		}
	}
	if found.deployment == nil {
		state.Trace = trace{}.String()
		return state, nil
	}
	pods, err := t.pods(ctx, c)
	if err != nil {
		return deploy.State{}, err
	}
	t.askAll(ctx, c, pods)
	state.Trace = trace{UID: textAt(found.deployment, "metadata", "uid"), Instance: instanceOf(pods)}.String()
	if revision := found.revision(); revision != "" {
		state.Revision = revision
	}
	want, _ := at(found.deployment, "spec", "replicas").(int64)
	summarize(&state, pods, int(want))
	if !state.Running {
		state.Ended = t.whyEnded(ctx, c, int(want), pods)
		state.Log = t.logOf(ctx, c, pods)
	}
	return state, nil
}

func (t trace) String() string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(fmt.Sprintf("kubernetes: a trace holds only texts: %v", err))
	}
	return string(text)
}

func instanceOf(pods []*pod) string {
	for _, p := range pods {
		if p.bridge != nil {
			return p.bridge.Instance
		}
	}
	return ""
}

// summarize makes one bridge of all: the one that is worst off, since the deployment is as good as that.
func summarize(state *deploy.State, pods []*pod, want int) {
	answering, current := 0, 0
	for _, p := range pods {
		if p.leaving() {
			continue
		}
		state.Running = state.Running || p.running()
		if !p.current {
			continue
		}
		current++
		if p.bridge == nil {
			continue
		}
		answering++
		if p.bridge.ObservedRevision == state.Revision {
			state.ObservedRevision = state.Revision
		}
		if state.Bridge == nil || rank(p.bridge) > rank(state.Bridge) {
			state.Bridge = p.bridge
		}
	}
	if current < want || answering < current {
		if state.Bridge != nil && rank(state.Bridge) > 0 {
			return // it says more than silence
		}
		state.Bridge = nil
	}
}

// rank is the greater, the less a bridge can do.
func rank(s *control.Status) int {
	return slices.Index([]string{
		control.Ready, control.SigningIn, control.Starting, control.Draining, control.Sealed, control.Refused,
		control.SessionUnreadable,
	}, s.State)
}

// askAll asks the bridges of the pods, all at once.
func (t *Target) askAll(ctx context.Context, c *cluster.Client, pods []*pod) {
	var wait sync.WaitGroup
	for _, p := range pods {
		if p.running() && !p.leaving() {
			wait.Go(func() { p.bridge, p.silence = t.ask(ctx, c, p) })
		}
	}
	wait.Wait()
}

// ask asks the bridge of a pod over its control socket.
func (t *Target) ask(ctx context.Context, c *cluster.Client, p *pod) (*control.Status, error) {
	out, err := c.Exec(ctx, t.Config.Namespace, p.Metadata.Name, containerName, nil, "/usr/bin/scim-bridge", "status",
		"--local", "--control", dataFolder)
	var status control.Status
	if json.Unmarshal(out, &status) == nil && status.State != "" {
		return &status, nil // whatever is wrong with it, it answers
	}
	if err == nil {
		err = errors.New("it printed no status: the image is older than this provider")
	}
	return nil, err
}
