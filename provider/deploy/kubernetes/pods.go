package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// A pod is what is used of a Pod.
type pod struct {
	Metadata struct {
		Name, UID         string
		Labels            map[string]string
		DeletionTimestamp string
	}
	Status struct {
		Phase             string
		Conditions        []condition
		ContainerStatuses []containerStatus
	}

	current bool            // it is of the newest ReplicaSet
	bridge  *control.Status // nil if it does not answer
	silence error           // why it does not
}

type condition struct{ Type, Status, Reason, Message string }

type containerStatus struct {
	Name         string
	RestartCount int
	Image        string
	State        containerState
	LastState    containerState
}

type containerState struct {
	Waiting    *struct{ Reason, Message string }
	Running    *struct{ StartedAt string }
	Terminated *struct {
		Reason, Message string
		ExitCode        int
	}
}

// A workload is what is used of a Deployment, and a ReplicaSet.
type workload struct {
	Metadata struct {
		Name, UID   string
		Generation  int64
		Labels      map[string]string
		Annotations map[string]string
	}
	Spec   struct{ Replicas int }
	Status struct {
		ObservedGeneration                                        int64
		Replicas, UpdatedReplicas, AvailableReplicas, Unavailable int
		Conditions                                                []condition
	}
}

// revisionKey is the annotation with which the controller numbers the templates of a Deployment.
const revisionKey = "deployment.kubernetes.io/revision"

const hashLabel = "pod-template-hash"

// as decodes an object of the API. Names of fields are matched without regard to case.
func as[T any](o object) (*T, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	value := new(T)
	return value, json.Unmarshal(text, value)
}

// leaving reports whether the pod ends, or has ended: a pod that was evicted stays listed.
func (p *pod) leaving() bool {
	return p.Metadata.DeletionTimestamp != "" || p.Status.Phase == "Failed" || p.Status.Phase == "Succeeded"
}

func (p *pod) container() *containerStatus {
	for i, c := range p.Status.ContainerStatuses {
		if c.Name == containerName {
			return &p.Status.ContainerStatuses[i]
		}
	}
	return nil
}

func (p *pod) running() bool {
	c := p.container()
	return c != nil && c.State.Running != nil
}

// beingMade reports whether the pod has a node, and no container yet.
func (p *pod) beingMade() bool {
	c := p.container()
	return c != nil && c.State.Waiting != nil && c.State.Waiting.Reason == "ContainerCreating"
}

// pods returns the pods. Those of the Deployment's newest template are current.
func (t *Target) pods(ctx context.Context, c *cluster.Client) ([]*pod, error) {
	_, newest, err := t.workloads(ctx, c)
	if err != nil {
		return nil, err
	}
	return t.podsOf(ctx, c, newest)
}

// podsOf returns the pods, when the newest ReplicaSet is known.
func (t *Target) podsOf(ctx context.Context, c *cluster.Client, newest *workload) ([]*pod, error) {
	all, err := c.List(ctx, cluster.Pods, t.Config.Namespace, t.Config.selectorText())
	if err != nil {
		return nil, err
	}
	pods := make([]*pod, 0, len(all))
	for _, o := range all {
		p, err := as[pod](o)
		if err != nil {
			return nil, fmt.Errorf("reading a pod: %w", err)
		}
		p.current = newest != nil && p.Metadata.Labels[hashLabel] == newest.Metadata.Labels[hashLabel]
		pods = append(pods, p)
	}
	slices.SortFunc(pods, func(a, b *pod) int { return cmp.Compare(a.Metadata.Name, b.Metadata.Name) })
	return pods, nil
}

// workloads returns the Deployment and its newest ReplicaSet. Either is nil if there is none; the ReplicaSet also until
// the controller has seen the latest change.
func (t *Target) workloads(ctx context.Context, c *cluster.Client) (d, newest *workload, err error) {
	o, err := c.Get(ctx, cluster.Deployments, t.Config.Namespace, t.Config.Name)
	if err != nil {
		return nil, nil, err
	}
	if d, err = as[workload](o); err != nil {
		return nil, nil, fmt.Errorf("reading the Deployment: %w", err)
	}
	if d.Status.ObservedGeneration < d.Metadata.Generation {
		return d, nil, nil
	}
	sets, err := c.List(ctx, cluster.ReplicaSets, t.Config.Namespace, t.Config.selectorText())
	if err != nil {
		return nil, nil, err
	}
	for _, o := range sets {
		set, err := as[workload](o)
		if err != nil {
			return nil, nil, fmt.Errorf("reading a ReplicaSet: %w", err)
		}
		if set.Metadata.Annotations[revisionKey] == d.Metadata.Annotations[revisionKey] {
			newest = set
		}
	}
	return d, newest, nil
}

// hasUnreadable reports whether a bridge cannot read its session.
func (s snapshot) hasUnreadable(ctx context.Context, c *cluster.Client) bool {
	t := &Target{Config: s.c, opened: c}
	pods, err := t.pods(ctx, c)
	if err != nil {
		return false
	}
	t.askAll(ctx, c, pods)
	return slices.ContainsFunc(pods, func(p *pod) bool {
		return p.bridge != nil && p.bridge.State == control.SessionUnreadable
	})
}

// whyEnded returns why no bridge runs; empty if that is not known.
func (t *Target) whyEnded(ctx context.Context, c *cluster.Client, want int, pods []*pod) string {
	if want == 0 {
		return "the Deployment has no replicas"
	}
	_, newest, err := t.workloads(ctx, c)
	if err != nil {
		return ""
	}
	return t.obstacle(ctx, c, newest, pods).Reason
}

// logOf returns the end of the log of a bridge that has ended, or else of one that runs.
func (t *Target) logOf(ctx context.Context, c *cluster.Client, pods []*pod) string {
	for _, p := range pods {
		container := p.container()
		if container == nil {
			continue
		}
		ended := container.State.Running == nil && container.State.Terminated == nil && container.RestartCount > 0
		if text := c.Log(ctx, t.Config.Namespace, p.Metadata.Name, containerName, ended); text != "" {
			return text
		}
	}
	return ""
}
