package kubernetes

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// copyOf is an object as the API server returns it.
func copyOf(o object) object { return toPlain(o).(object) }

func TestArgumentsOfABridgeAreReadBack(t *testing.T) {
	t.Parallel()
	d := aDesign(nil)
	settings, revision, unknown := readArguments(d.container())
	if settings != d.Settings || revision != d.Revision || len(unknown) > 0 {
		t.Errorf("got %+v, %q, %q", settings, revision, unknown)
	}
	container := copyOf(d.container())
	container["args"] = append(container["args"].([]any), "--monitoring-token-file=/secret", "--ping-listen=:80",
		"--tls-domain=x")
	settings, _, unknown = readArguments(container)
	if !slices.Equal(unknown, []string{"--monitoring-token-file", "--ping-listen"}) || settings.TLSDomain != "x" {
		t.Errorf("unknown are %q, the settings %+v", unknown, settings)
	}
}

func TestWhatWasChangedByHandIsFound(t *testing.T) {
	t.Parallel()
	d := aDesign(nil)
	deployment := part{}
	parts, err := d.parts()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if p.kind.Name == "Deployment" {
			deployment = p
		}
	}
	pod := func(o object) object { return at(o, "spec", "template", "spec").(object) }
	container := func(o object) object { return pod(o)["containers"].([]any)[0].(object) }
	for _, row := range []struct {
		name   string
		change func(object)
		want   string
	}{
		{"nothing", func(object) {}, ""},
		{"what the API server adds",
			func(o object) { pod(o)["restartPolicy"] = "Always"; o["status"] = object{"a": 1} }, ""},
		{"a container that a webhook adds", func(o object) {
			pod(o)["containers"] = append([]any{object{"name": "mesh"}}, pod(o)["containers"].([]any)...)
		}, ""},
		{"a variable that somebody else adds", func(o object) {
			container(o)["env"] = append([]any{object{"name": "A"}}, container(o)["env"].([]any)...)
		}, ""},
		{"a root file system that can be written", func(o object) {
			container(o)["securityContext"].(object)["readOnlyRootFilesystem"] = false
		}, "the Deployment bridge differs in " +
			"spec.template.spec.containers[scim-bridge].securityContext.readOnlyRootFilesystem"},
		{"a variable that is gone", func(o object) { container(o)["env"] = container(o)["env"].([]any)[1:] },
			"the Deployment bridge differs in spec.template.spec.containers[scim-bridge].env[GOMEMLIMIT]"},
		{"a probe that is gone", func(o object) { delete(container(o), "livenessProbe") },
			"the Deployment bridge differs in spec.template.spec.containers[scim-bridge].livenessProbe"},
		{"a volume that reads another Secret", func(o object) {
			pod(o)["volumes"].([]any)[0].(object)["secret"].(object)["secretName"] = "other"
		}, "the Deployment bridge differs in spec.template.spec.volumes[session].secret.secretName"},
		{"the record", func(o object) { delete(o["metadata"].(object), "annotations") },
			"the Deployment bridge has lost its annotation scimbridge/deployment"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			have := copyOf(deployment.object)
			row.change(have)
			got := strings.Join(differencesOf(deployment, have), "; ")
			if strings.HasPrefix(row.want, "the Deployment bridge has lost") {
				got, _, _ = strings.Cut(got, "; ")
			}
			if got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

func TestADeploymentShowsWhatItsArgumentsAreNow(t *testing.T) {
	t.Parallel()
	d := aDesign(nil)
	changed := d
	changed.Config.Image, changed.Config.Replicas, changed.Size = "other", 7, deploy.SizeVeryHigh
	changed.Settings.LogLevel = "trace"
	o, err := changed.deployment()
	if err != nil {
		t.Fatal(err)
	}
	config, state := d.Config, deploy.State{Spec: d.spec()}
	drift := snapshot{deployment: copyOf(o)}.readDeployment(&config, &state)
	if config.Image != "other" || config.Replicas != 7 || state.Spec.Size != deploy.SizeVeryHigh ||
		state.Spec.Settings != changed.Settings || len(drift) > 0 {
		t.Errorf("it shows %+v, %+v and %q", config, state.Spec, drift)
	}
}

// With an autoscaler, the argument is only how many there are at first.
func TestReplicasThatAnAutoscalerSetsAreNoDrift(t *testing.T) {
	t.Parallel()
	d := aDesign(nil)
	found := snapshot{record: d.record, session: d.session, token: d.token, scaled: 7}
	o, err := found.design().deployment()
	if err != nil {
		t.Fatal(err)
	}
	if got := at(o, "spec", "replicas"); got != int64(7) {
		t.Errorf("%v replicas are applied", got)
	}
	found.deployment = copyOf(o)
	config, state := d.Config, deploy.State{Spec: d.spec()}
	if drift := found.readDeployment(&config, &state); config.Replicas != d.Config.Replicas || len(drift) > 0 {
		t.Errorf("it shows %d and %q", config.Replicas, drift)
	}
}

func TestAServiceShowsWhatItsArgumentsAreNow(t *testing.T) {
	t.Parallel()
	d := aDesign(nil)
	p := part{object: d.service()}
	have := copyOf(d.service())
	have["spec"].(object)["type"] = "NodePort"
	config := d.Config
	drift := readService(&config, p, have)
	if len(drift) > 0 || config.Service == nil || config.Service.Type != "NodePort" {
		t.Errorf("it shows %+v and %q", config.Service, drift)
	}
	config = d.Config
	if drift := readService(&config, p, copyOf(d.service())); len(drift) > 0 || config.Service != nil {
		t.Errorf("unchanged, it shows %+v and %q", config.Service, drift)
	}
}

func TestARecordIsReadBack(t *testing.T) {
	t.Parallel()
	d := aDesign(nil)
	got, err := readRecord(d.String(), "scim", "bridge")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got)
	if b, _ := json.Marshal(d.record); string(a) != string(b) || got.Config.Name != "bridge" {
		t.Errorf("got  %s\nwant %s", a, b)
	}
	for _, row := range []struct{ name, text, want string }{
		{"none", "", "no annotation"}, {"damaged", "{", "is damaged"}, {"a newer one", `{"version":2}`, "version 2"},
	} {
		if _, err := readRecord(row.text, "scim", "bridge"); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}
