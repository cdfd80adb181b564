package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// roll waits until every pod is a current one, ready, and answers, and unseals those that are
// sealed. It fails as soon as it is clear that they cannot run.
func (t *Target) roll(ctx context.Context, c *cluster.Client, revision string, token session.Token) error {
	p := progress{target: t, client: c, revision: revision, token: token}
	for {
		done, err := p.step(ctx)
		if done {
			return nil
		}
		if ctx.Err() != nil {
			return &deploy.NotReadyError{
				Reason: fmt.Sprintf("%s, and %s.%s", deploy.Ended(ctx), p.text, prefixed(" ", p.obstacle.Reason)),
				Log:    p.obstacle.log,
			}
		}
		if err = p.outlast(ctx, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(tick):
		}
	}
}

// outage is how long an API server may be away during a roll-out: a new one takes its place meanwhile.
const outage = time.Minute

// outlast returns the error, unless it is of an API server that is away for less than an outage.
func (p *progress) outlast(ctx context.Context, err error) error {
	if _, away := errors.AsType[*cluster.AwayError](err); !away {
		p.away = time.Time{}
		return err
	}
	if p.away.IsZero() {
		deploy.Log(ctx, fmt.Sprintf("%v; it is asked again for %s", err, outage))
		p.away = time.Now()
	}
	if time.Since(p.away) >= outage {
		return err
	}
	return nil
}

// A progress is what is known of a roll-out under way.
type progress struct {
	target   *Target
	client   *cluster.Client
	revision string
	token    session.Token

	text     string   // how many pods are ready
	obstacle obstacle // the last one
	since    time.Time
	away     time.Time // since when the API does not answer; zero if it does
}

// step looks once, and unseals the bridges that need it. Done reports whether the roll-out is complete.
func (p *progress) step(ctx context.Context) (done bool, err error) {
	t, c := p.target, p.client
	d, newest, err := t.workloads(ctx, c)
	if err != nil {
		return false, err
	}
	pods, err := t.podsOf(ctx, c, newest)
	if err != nil {
		return false, err
	}
	t.askAll(ctx, c, pods)
	if err := t.unsealAll(ctx, c, pods, p.revision, p.token); err != nil {
		return false, err
	}
	if isComplete(d, pods, p.revision, p.token) {
		return true, nil
	}
	found := t.obstacle(ctx, c, newest, pods)
	p.note(ctx, d, found)
	if found.Reason != "" && time.Since(p.since) >= found.patience {
		return false, found.toError()
	}
	return false, nil
}

// note keeps what was seen, and logs what is new of it.
func (p *progress) note(ctx context.Context, d *workload, found obstacle) {
	text := fmt.Sprintf("%d of %d pods are replaced and %d ready", d.Status.UpdatedReplicas, d.Spec.Replicas,
		d.Status.AvailableReplicas)
	if found.Reason != p.obstacle.Reason || text != p.text {
		deploy.Log(ctx, "waiting: "+text+prefixed("; ", found.Reason))
	}
	if found.Reason != p.obstacle.Reason || p.since.IsZero() {
		p.since = time.Now()
	}
	p.text, p.obstacle = text, found
}

// isComplete reports whether only current pods are left, and each serves.
func isComplete(d *workload, pods []*pod, revision string, token session.Token) bool {
	s := d.Status
	if s.ObservedGeneration < d.Metadata.Generation || s.Replicas != d.Spec.Replicas ||
		s.UpdatedReplicas != s.Replicas || s.AvailableReplicas != s.Replicas {
		return false
	}
	serving := 0
	for _, p := range pods {
		if p.current && !p.leaving() && p.bridge != nil && p.bridge.Revision == revision &&
			(p.bridge.State != control.Sealed || token.IsZero()) {
			serving++
		}
	}
	return serving == d.Spec.Replicas
}

// unsealAll unseals the sealed bridges. It fails if one can never sign in with its session, before Kubernetes ends the
// old ones: to Kubernetes, such a pod is as ready as any.
func (t *Target) unsealAll(ctx context.Context, c *cluster.Client, pods []*pod, revision string,
	token session.Token,
) error {
	for _, p := range pods {
		if !p.current || p.leaving() || p.bridge == nil || p.bridge.Revision != revision {
			continue
		}
		if refusesSession(*p.bridge) {
			return &deploy.NotReadyError{
				Reason:   fmt.Sprintf("the bridge in the pod %s cannot work with its session.", p.Metadata.Name),
				Problems: p.bridge.Problems,
			}
		}
		if token.IsZero() || p.bridge.State != control.Sealed {
			continue
		}
		_, err := c.Exec(ctx, t.Config.Namespace, p.Metadata.Name, containerName,
			strings.NewReader(token.Reveal()+"\n"), "/usr/bin/scim-bridge", "unseal", dataFolder)
		if refused, ok := errors.AsType[*cluster.ExitError](err); ok {
			return &deploy.NotReadyError{Reason: fmt.Sprintf("the bridge in the pod %s refused the token: %s.",
				p.Metadata.Name, strings.TrimPrefix(refused.Output, "scim-bridge: "))}
		}
		p.silence = err // the next look asks it again
	}
	return nil
}

// refusesSession reports whether a new bridge can never sign in with its session. Problems that the
// old ones have as well do not count.
func refusesSession(s control.Status) bool {
	return s.State == control.SessionUnreadable || s.State == control.Refused &&
		slices.ContainsFunc(s.Problems, func(p problem.Problem) bool { return p.Code == problem.CredentialsChanged })
}

// An obstacle is why pods do not run.
type obstacle struct {
	Reason, Remedy string
	log            string
	// patience is how long it must last: what comes before it in every roll-out may look the same.
	patience time.Duration
}

func (o obstacle) toError() error {
	return &deploy.NotReadyError{Reason: o.Reason + prefixed(" ", o.Remedy), Log: o.log}
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// How long an obstacle must last.
const (
	atOnce  = 0
	briefly = 3 * time.Second
	// A scheduler that has just started, or a node that is being made, needs a while.
	awhile = 15 * time.Second
	// toTheEnd is for what may cure itself: it is only told when the time is over.
	toTheEnd = time.Duration(math.MaxInt64)
)

// obstacle returns why the newest pods do not run; zero if nothing is known to be in their way.
func (t *Target) obstacle(ctx context.Context, c *cluster.Client, newest *workload, pods []*pod) (found obstacle) {
	if newest != nil {
		for _, condition := range newest.Status.Conditions {
			if condition.Type == "ReplicaFailure" && condition.Status == "True" {
				return refusedPods(condition)
			}
		}
	}
	for _, p := range pods {
		if !p.current || p.leaving() {
			continue
		}
		o := p.obstacle()
		if o.Reason == "" && p.beingMade() {
			o = p.obstacleToStart(t.eventsOf(ctx, c, p))
		}
		if o.Reason == "" {
			continue
		}
		if o.patience == awhile && t.nodeIsComing(ctx, c, p) {
			continue
		}
		if container := p.container(); container != nil && container.RestartCount > 0 {
			o.log = c.Log(ctx, t.Config.Namespace, p.Metadata.Name, containerName, container.State.Running == nil)
		}
		return o
	}
	return obstacle{}
}

// refusedPods is why the API server refuses the pods of a ReplicaSet.
func refusedPods(c condition) obstacle {
	o := obstacle{Reason: "the API server refuses the pods: " + c.Message + ".", patience: briefly}
	switch {
	case strings.Contains(c.Message, "exceeded quota"):
		o.Remedy = "Raise the ResourceQuota of the namespace, or lower replicas or size. During a change there is " +
			"one pod more than replicas."
	case strings.Contains(c.Message, "violates PodSecurity"):
		o.Remedy = "The pods keep the policy \"restricted\": take out of patch what breaks it."
	default:
		o.Remedy = "An admission webhook or a policy of the cluster decides that."
	}
	return o
}

// obstacle returns why the pod does not run.
func (p *pod) obstacle() obstacle {
	pod := "the pod " + p.Metadata.Name
	for _, condition := range p.Status.Conditions {
		if condition.Type == "PodScheduled" && condition.Status == "False" && condition.Reason == "Unschedulable" {
			return obstacle{
				Reason: pod + " fits on no node (Unschedulable): " + condition.Message + ".",
				Remedy: "Add a node, or change size, pod.node_selector or pod.tolerations.", patience: awhile,
			}
		}
	}
	c := p.container()
	if c == nil {
		return obstacle{}
	}
	if p.running() && p.silence != nil {
		return p.obstacleToAsk()
	}
	if ended := c.LastState.Terminated; ended != nil && ended.Reason == "OOMKilled" {
		return obstacle{
			Reason: pod + " used more memory than size allows, and was killed (OOMKilled).",
			Remedy: "Choose a greater size.",
		}
	}
	if c.State.Waiting == nil {
		return obstacle{}
	}
	reason, message := c.State.Waiting.Reason, prefixed(": ", strings.TrimSuffix(c.State.Waiting.Message, "."))
	switch reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull":
		o := obstacle{
			Reason: fmt.Sprintf("%s cannot get the image %s (%s)%s.", pod, c.Image, reason, message),
			Remedy: "Correct kubernetes.image. A private registry needs pod.image_pull_secrets, and a node must " +
				"reach the registry.",
			patience: atOnce,
		}
		if reason == "ErrImagePull" { // the kubelet tries again once, at once
			o.patience = briefly
		}
		return o
	case "CrashLoopBackOff":
		text := pod + "'s bridge exits after its start (CrashLoopBackOff)"
		if ended := c.LastState.Terminated; ended != nil {
			text += fmt.Sprintf(", last with code %d", ended.ExitCode)
		}
		return obstacle{Reason: text + ".", Remedy: "Its log says why."}
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return obstacle{
			Reason:   fmt.Sprintf("%s cannot start its container (%s)%s.", pod, reason, message),
			Remedy:   "What pod or patch adds must exist in the namespace.",
			patience: briefly,
		}
	}
	return obstacle{}
}

// obstacleToAsk is why the bridge in the pod does not answer. It may have just started.
func (p *pod) obstacleToAsk() obstacle {
	o := obstacle{
		Reason:   fmt.Sprintf("the bridge in the pod %s does not answer: %v.", p.Metadata.Name, p.silence),
		patience: toTheEnd,
	}
	if cluster.IsForbidden(p.silence) {
		o.Remedy = "Terraform's user needs the rights that the guide of this target lists."
		o.patience = atOnce
	}
	return o
}

// obstacleToStart returns why a pod's container is not made. Nothing but the events tells.
func (p *pod) obstacleToStart(events []object) obstacle {
	var found obstacle
	for _, event := range events {
		reason, message := textAt(event, "reason"), strings.TrimSuffix(textAt(event, "message"), ".")
		if !slices.Contains([]string{"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"}, reason) {
			continue
		}
		found = obstacle{
			Reason:   fmt.Sprintf("the pod %s cannot start its container (%s): %s.", p.Metadata.Name, reason, message),
			patience: toTheEnd,
		}
		if reason == "FailedMount" && strings.HasSuffix(message, "not found") {
			found.Remedy, found.patience = "It must exist in the namespace.", awhile
			return found
		}
	}
	return found
}

// eventsOf returns the events of a pod; none if this run may not read them.
func (t *Target) eventsOf(ctx context.Context, c *cluster.Client, p *pod) []object {
	events, err := c.EventsOf(ctx, t.Config.Namespace, p.Metadata.UID)
	if err != nil {
		return nil
	}
	return events
}

// nodeIsComing reports whether an autoscaler makes a node for the pod.
func (t *Target) nodeIsComing(ctx context.Context, c *cluster.Client, p *pod) bool {
	return slices.ContainsFunc(t.eventsOf(ctx, c, p), func(event object) bool {
		reason := textAt(event, "reason")
		return reason == "TriggeredScaleUp" || reason == "Nominated"
	})
}
