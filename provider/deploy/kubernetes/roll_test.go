package kubernetes

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// What the kubelet and the scheduler write, as a cluster was seen to write it.
func TestWhyAPodDoesNotRun(t *testing.T) {
	t.Parallel()
	waiting := func(reason, message, last string) string {
		return `{"status":{"containerStatuses":[{"name":"scim-bridge","image":"example.com/bridge:1","restartCount":2,
			"state":{"waiting":{"reason":"` + reason + `","message":"` + message + `"}}` + last + `}]}}`
	}
	for _, row := range []struct{ name, pod, want, remedy string }{
		{"it runs", `{"status":{"containerStatuses":[{"name":"scim-bridge","state":{"running":{}}}]}}`, "", ""},
		{"it is being made", waiting("ContainerCreating", "", ""), "", ""},
		{"its image cannot be pulled", waiting("ImagePullBackOff", "Back-off pulling image", ""),
			"cannot get the image example.com/bridge:1 (ImagePullBackOff): Back-off pulling image.",
			"pod.image_pull_secrets"},
		{"its image has no name", waiting("InvalidImageName", "couldn't parse image name", ""), "(InvalidImageName)",
			"kubernetes.image"},
		{"it crashes", waiting("CrashLoopBackOff", "back-off 10s", `,"lastState":{"terminated":{"exitCode":3}}`),
			"(CrashLoopBackOff), last with code 3.", "log"},
		{"it has too little memory", waiting("CrashLoopBackOff", "",
			`,"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}`), "(OOMKilled)", "size"},
		{"a Secret is missing",
			waiting("CreateContainerConfigError", `secret \"x\" not found`, ""), `secret "x" not found`,
			"namespace"},
		{"it fits nowhere", `{"status":{"conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable",
			"message":"0/3 nodes are available"}]}}`, "(Unschedulable): 0/3 nodes are available.", "node"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var p pod
			if err := json.Unmarshal([]byte(row.pod), &p); err != nil {
				t.Fatal(err)
			}
			got := p.obstacle()
			if !strings.Contains(got.Reason, row.want) || !strings.Contains(got.Remedy, row.remedy) ||
				(got.Reason == "") != (row.want == "") {
				t.Errorf("got %q, remedy %q; want %q, %q", got.Reason, got.Remedy, row.want, row.remedy)
			}
		})
	}
}

func TestWhyAContainerIsNotMade(t *testing.T) {
	t.Parallel()
	event := func(reason, message string) object { return object{"reason": reason, "message": message} }
	for _, row := range []struct {
		name   string
		events []object
		want   string
		final  bool
	}{
		{"nothing is wrong", []object{event("Scheduled", "assigned"), event("Pulling", "pulling image")}, "", false},
		{"a Secret is gone",
			[]object{event("FailedMount", `MountVolume.SetUp failed for volume "token" : secret "x" not found`)},
			`(FailedMount): MountVolume.SetUp failed for volume "token" : secret "x" not found.`, true},
		{"the network is not ready yet",
			[]object{event("FailedCreatePodSandBox", "no network")}, "(FailedCreatePodSandBox)",
			false},
		{"the kubelet has just started", []object{event("FailedMount", "failed to sync secret cache: timed out")},
			"(FailedMount)", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := new(pod).obstacleToStart(row.events)
			if !strings.Contains(got.Reason, row.want) || (got.Reason == "") != (row.want == "") ||
				(got.Reason != "" && got.patience < toTheEnd) != row.final {
				t.Errorf("got %q after %s; want %q, final %t", got.Reason, got.patience, row.want, row.final)
			}
		})
	}
}

func TestWhyTheAPIServerRefusesPods(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ message, remedy string }{
		{`pods "bridge-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2`,
			"Raise the ResourceQuota"},
		{`pods "bridge-x" is forbidden: violates PodSecurity "restricted:latest": hostNetwork`, "patch"},
		{`admission webhook "x" denied the request`, "webhook"},
	} {
		got := refusedPods(condition{Message: row.message})
		if !strings.Contains(got.Reason, row.message) || !strings.Contains(got.Remedy, row.remedy) {
			t.Errorf("got %q, remedy %q; want %q", got.Reason, got.Remedy, row.remedy)
		}
	}
}

func aPod(state string, current bool) *pod {
	p := &pod{current: current}
	p.Status.ContainerStatuses = []containerStatus{{Name: containerName, State: containerState{
		Running: &struct{ StartedAt string }{},
	}}}
	if state != "" {
		p.bridge = &control.Status{State: state, Revision: "r"}
		if state == control.Ready {
			p.bridge.ObservedRevision = "r"
		}
	}
	return p
}

// evictedPod is one that the kubelet has ended for want of memory. It stays until somebody deletes it.
func evictedPod() *pod {
	p := &pod{current: true}
	p.Status.Phase = "Failed"
	return p
}

// A deployment is as good as the worst of its bridges.
func TestOneStateOfManyBridges(t *testing.T) {
	t.Parallel()
	pods := func(states ...string) (all []*pod) {
		for _, state := range states {
			all = append(all, aPod(state, true))
		}
		return all
	}
	for _, row := range []struct {
		name     string
		pods     []*pod
		want     deploy.Status
		observed string
	}{
		{"all are ready", pods(control.Ready, control.Ready), deploy.Ready, "r"},
		{"one is sealed", pods(control.Ready, control.Sealed), deploy.Sealed, "r"},
		{"one is refused", pods(control.Refused, control.Sealed), deploy.Degraded, ""},
		{"one does not answer", pods(control.Ready, ""), deploy.Degraded, "r"},
		{"one is sealed, another does not answer", pods(control.Sealed, ""), deploy.Sealed, ""},
		{"one is missing", pods(control.Ready), deploy.Degraded, "r"},
		{"there is none", nil, deploy.Stopped, ""},
		{"an old one is left",
			append(pods(control.Ready, control.Ready), aPod(control.Sealed, false)), deploy.Ready, "r"},
		{"one that was evicted is still listed",
			append(pods(control.Ready, control.Ready), evictedPod()), deploy.Ready, "r"},
		{"only old ones are there",
			[]*pod{aPod(control.Ready, false), aPod(control.Ready, false)}, deploy.Degraded, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			state := deploy.State{Revision: "r"}
			summarize(&state, row.pods, 2)
			if state.Status() != row.want || state.ObservedRevision != row.observed {
				t.Errorf("got %s, observed %q; want %s, %q",
					state.Status(), state.ObservedRevision, row.want, row.observed)
			}
		})
	}
}

func TestWhenARollOutIsComplete(t *testing.T) {
	t.Parallel()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		change func(*workload)
		pods   []*pod
		token  session.Token
		want   bool
	}{
		{"all serve", nil, []*pod{aPod(control.Ready, true), aPod(control.Refused, true)}, token, true},
		{"one is sealed, and there is a token",
			nil, []*pod{aPod(control.Ready, true), aPod(control.Sealed, true)}, token,
			false},
		{"one is sealed, and there is no token", nil, []*pod{aPod(control.Ready, true), aPod(control.Sealed, true)},
			session.Token{}, true},
		{"one does not answer", nil, []*pod{aPod(control.Ready, true), aPod("", true)}, token, false},
		{"an old one is left", func(d *workload) { d.Status.Replicas = 3 },
			[]*pod{aPod(control.Ready, true), aPod(control.Ready, true)}, token, false},
		{"the controller has not seen it", func(d *workload) { d.Metadata.Generation = 8 },
			[]*pod{aPod(control.Ready, true), aPod(control.Ready, true)}, token, false},
		{"one is not ready for long enough", func(d *workload) { d.Status.AvailableReplicas = 1 },
			[]*pod{aPod(control.Ready, true), aPod(control.Ready, true)}, token, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := new(workload)
			d.Metadata.Generation, d.Status.ObservedGeneration, d.Spec.Replicas = 7, 7, 2
			d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 2, 2, 2
			if row.change != nil {
				row.change(d)
			}
			if got := isComplete(d, row.pods, "r", row.token); got != row.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// An API server that is replaced does not end a roll-out; one that stays away does.
func TestARollOutOutlastsAnAPIThatIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	gone, refused := &cluster.AwayError{Err: errors.New("connection refused")}, errors.New("it is forbidden")
	var p progress
	if err := p.outlast(t.Context(), gone); err != nil || p.away.IsZero() {
		t.Errorf("at once: %v", err)
	}
	p.away = p.away.Add(-outage)
	if err := p.outlast(t.Context(), gone); !errors.Is(err, gone) {
		t.Errorf("after %s: %v", outage, err)
	}
	if err := p.outlast(t.Context(), nil); err != nil || !p.away.IsZero() {
		t.Errorf("an answer: %v, away since %s", err, p.away)
	}
	if err := p.outlast(t.Context(), refused); !errors.Is(err, refused) {
		t.Errorf("a refusal: %v", err)
	}
}

func TestWhyABridgeDoesNotAnswer(t *testing.T) {
	t.Parallel()
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods/exec"}, "bridge-x", nil)
	for _, row := range []struct {
		name   string
		err    error
		remedy string
		want   time.Duration
	}{
		{"it has just started", errors.New("no such socket"), "", toTheEnd},
		{"commands must not be run in it", forbidden, "rights", atOnce},
	} {
		p := aPod("", true)
		p.silence = row.err
		got := p.obstacle()
		if !strings.Contains(got.Reason, row.err.Error()) || !strings.Contains(got.Remedy, row.remedy) ||
			got.patience != row.want {
			t.Errorf("%s: got %+v", row.name, got)
		}
	}
}
