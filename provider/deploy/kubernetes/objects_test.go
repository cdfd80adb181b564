package kubernetes

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// aDesign is a deployment with all that one can have.
func aDesign(change func(*design)) design {
	d := design{
		record: record{
			Version: recordVersion, Name: "Bridge", Revision: "0123456789abcdef", Unseal: deploy.UnsealStored,
			Size:     deploy.SizeHigh,
			Settings: deploy.Settings{PublicURL: "https://scim.example.com", LogLevel: "debug", InsecureHTTP: true},
			Config: Config{
				Namespace: "scim", Name: "bridge", Image: "registry.example.com/scim-bridge:1", Replicas: 3,
				NetworkPolicy: true,
				Pod: &Pod{
					Labels: map[string]string{"team": "it"}, NodeSelector: map[string]string{"disk": "ssd"},
					Tolerations: []Toleration{
						{Key: new("dedicated"), Operator: new("Exists"), Seconds: new(int64(30))},
					},
					ImagePullSecrets: []string{"registry"},
					Environment:      map[string]string{"HTTPS_PROXY": "http://proxy:3128"},
					CACertificatePEM: new("-----BEGIN CERTIFICATE-----"),
				},
				Patch: new(`{"spec":{"template":{"spec":{"priorityClassName":"high"}}}}`),
			},
			Monitoring: &deploy.Monitoring{Version: new(int64(1))},
		},
		session: "sealed", token: "secret-token", monitoring: "the-secret-of-monitors", mark: "the-mark-of-it",
	}
	if change != nil {
		change(&d)
	}
	return d
}

func partsOf(t *testing.T, d design) map[string]object {
	t.Helper()
	parts, err := d.parts()
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]object)
	for _, p := range parts {
		named[p.kind.Name+" "+p.name()] = p.object
		if textAt(p.object, "metadata", "namespace") != "scim" || !d.Config.belongs(p.object) {
			t.Errorf("the %s %s has the metadata %v", p.kind.Name, p.name(), p.object["metadata"])
		}
	}
	return named
}

func TestADeploymentConsistsOfTheseObjects(t *testing.T) {
	t.Parallel()
	all := []string{
		"Deployment bridge", "NetworkPolicy bridge", "PodDisruptionBudget bridge", "Secret bridge-monitoring",
		"Secret bridge-session-01234567",
		"Secret bridge-token-01234567", "Service bridge", "ServiceAccount bridge",
	}
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(names, name) })
	}
	for _, row := range []struct {
		name   string
		change func(*design)
		want   []string
	}{
		{"everything", nil, all},
		{"one replica needs no budget", func(d *design) { d.Config.Replicas = 1 },
			without("PodDisruptionBudget bridge")},
		{"a policy is made if it is asked for", func(d *design) { d.Config.NetworkPolicy = false },
			without("NetworkPolicy bridge")},
		{"a token is stored if it is to be", func(d *design) { d.Unseal = deploy.UnsealOnce },
			without("Secret bridge-token-01234567")},
		{"a monitoring token is one that was given", func(d *design) { d.Monitoring = nil },
			without("Secret bridge-monitoring")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := slices.Sorted(maps.Keys(partsOf(t, aDesign(row.change)))); !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestASecretIsInItsOwnSecretAndNowhereElse(t *testing.T) {
	t.Parallel()
	for secret, place := range map[string]string{
		"secret-token": "Secret bridge-token-01234567", "the-secret-of-monitors": "Secret bridge-monitoring",
		"the-mark-of-it": "Secret bridge-monitoring",
	} {
		for name, o := range partsOf(t, aDesign(nil)) {
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			has := strings.Contains(string(text), secret) || strings.Contains(string(text), encode(secret))
			if has != (name == place) {
				t.Errorf("the %s has %s: %t", name, secret, has)
			}
		}
	}
}

// A file that is mounted alone is never updated in a running pod, and a Secret with another name only in new pods.
func TestTheMonitoringTokenIsAFileThatTheKubeletUpdates(t *testing.T) {
	t.Parallel()
	d := aDesign(nil)
	pod := at(partsOf(t, d)["Deployment bridge"], "spec", "template", "spec")
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"--monitoring-token-file=/run/secrets/scim-bridge/monitoring/monitoring-token"`,
		`{"mountPath":"/run/secrets/scim-bridge/monitoring","name":"monitoring","readOnly":true}`,
		`{"name":"monitoring","secret":{"defaultMode":288,"secretName":"bridge-monitoring"}}`, // 0440
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the pods lack %s:\n%s", want, text)
		}
	}
	d.Revision = "fedcba9876543210"
	if _, ok := partsOf(t, d)["Secret bridge-monitoring"]; !ok {
		t.Error("another revision has another Secret")
	}
	d.Monitoring = nil
	if names := d.secretNames(); !slices.Equal(names, []string{"bridge-session-fedcba98", "bridge-token-fedcba98"}) {
		t.Errorf("the Secrets %q stay without a monitoring token", names)
	}
}

func TestTheMonitoringTokenOfASecretIsRecognized(t *testing.T) {
	t.Parallel()
	const text = "a-monitoring-token-of-a-test"
	token, err := deploy.ParseMonitoringToken(text)
	if err != nil {
		t.Fatal(err)
	}
	d := aDesign(nil)
	if err := d.setMonitoring(&deploy.Monitoring{Token: token}, snapshot{}); err != nil {
		t.Fatal(err)
	}
	secret := partsOf(t, d)["Secret bridge-monitoring"]
	for _, row := range []struct {
		name   string
		change func(object)
		want   bool
	}{
		{"as it was written", func(object) {}, true},
		{"an edited token", func(data object) { data[monitoringKey] = encode("another-token-of-monitors") }, false},
		{"an edited mark", func(data object) { data[markKey] = encode("nonsense") }, false},
		{"a Secret that was made anew without a mark", func(data object) { delete(data, markKey) }, false},
		{"an empty one", func(data object) { clear(data) }, false},
	} {
		o := copyOf(secret)
		row.change(o["data"].(object))
		found := snapshot{record: d.record, c: d.Config}
		found.readSecrets([]object{o})
		if got := deploy.IsMarked(found.mark, found.monitoring); got != row.want {
			t.Errorf("%s: %t", row.name, got)
		}
		if again := found.design(); again.monitoring != found.monitoring || again.mark != found.mark {
			t.Errorf("%s: a redeployment would write %q", row.name, again.monitoring)
		}
	}
	if _, ok := secret["data"].(object)[loadedKey]; ok {
		t.Error("a token that was written counts as one that the bridges have loaded")
	}
	found := snapshot{record: d.record, monitoring: d.monitoring, mark: d.mark}
	if err := d.setMonitoring(&deploy.Monitoring{}, found); err != nil || d.monitoring != text {
		t.Errorf("without a token it is %q (%v)", d.monitoring, err)
	}
	found = snapshot{record: d.record}
	if err := d.setMonitoring(&deploy.Monitoring{}, found); !errors.Is(err, deploy.ErrNoMonitoringToken) {
		t.Errorf("without a token: %v", err)
	}
}

// The restricted standard of Kubernetes, and what it does not ask for.
func TestPodsHaveNoRights(t *testing.T) {
	t.Parallel()
	all := partsOf(t, aDesign(nil))
	pod := at(all["Deployment bridge"], "spec", "template", "spec")
	container := at(pod, "containers").([]any)[0]
	for _, row := range []struct {
		of   any
		path string
		want any
	}{
		{pod, "securityContext.runAsNonRoot", true},
		{pod, "securityContext.seccompProfile.type", "RuntimeDefault"},
		{pod, "automountServiceAccountToken", false},
		{all["ServiceAccount bridge"], "automountServiceAccountToken", false},
		{container, "securityContext.allowPrivilegeEscalation", false},
		{container, "securityContext.readOnlyRootFilesystem", true},
	} {
		if got := at(row.of, strings.Split(row.path, ".")...); got != row.want {
			t.Errorf("%s is %v, want %v", row.path, got, row.want)
		}
	}
	if drop := at(container, "securityContext", "capabilities", "drop").([]any); !slices.Equal(drop, []any{"ALL"}) {
		t.Errorf("it drops %v", drop)
	}
}

func TestWhatPodAndPatchAddIsInTheDeployment(t *testing.T) {
	t.Parallel()
	deployment := partsOf(t, aDesign(nil))["Deployment bridge"]
	text, err := json.Marshal(at(deployment, "spec", "template"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"team":"it"`, `"nodeSelector":{"disk":"ssd"}`, `"imagePullSecrets":[{"name":"registry"}]`,
		`{"key":"dedicated","operator":"Exists","tolerationSeconds":30}`,
		`{"name":"HTTPS_PROXY","value":"http://proxy:3128"}`,
		`"priorityClassName":"high"`, `{"name":"SSL_CERT_FILE","value":"/run/secrets/scim-bridge/session/ca.pem"}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the template lacks %s:\n%s", want, text)
		}
	}
}

func TestAPatchCannotTakeWhatTheTargetNeeds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, patch, want string }{
		{"an argument of the pod that has none of ours",
			`{"spec":{"template":{"spec":{"priorityClassName":"high"}}}}`, ""},
		{"a label", `{"metadata":{"labels":{"team":"it"}}}`, ""},
		{"the containers", `{"spec":{"template":{"spec":{"containers":[]}}}}`, "spec.template.spec.containers"},
		{"the whole specification removed", `{"spec":null}`, "spec.selector"},
		{"the template removed", `{"spec":{"template":null}}`, "spec.template.spec.containers"},
		{"another name", `{"metadata":{"name":"other"}}`, "metadata.name"},
		{"the record", `{"metadata":{"annotations":{"scimbridge/deployment":"x"}}}`,
			"annotations.scimbridge/deployment"},
		{"the replicas", `{"spec":{"replicas":5}}`, "spec.replicas"},
		{"a roll-out that is paused", `{"spec":{"paused":true}}`, "spec.paused"},
		{"a label by which the objects are found", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"x"}}}`,
			"metadata.labels.app.kubernetes.io/managed-by"},
		{"all labels", `{"metadata":{"labels":null}}`, "metadata.labels.app.kubernetes.io/instance"},
		{"a label by which the pods are found",
			`{"spec":{"template":{"metadata":{"labels":{"app.kubernetes.io/name":"x"}}}}}`,
			"spec.template.metadata.labels.app.kubernetes.io/name"},
		{"no object", `[]`, "jsonencode"},
		{"null", `null`, "jsonencode"},
		{"no JSON", `spec:`, "jsonencode"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := (&Target{Config: Config{Patch: &row.patch}}).check()
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestWhatTheTargetSetsInPodsCannotBeChanged(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		pod  *Pod
		want string
	}{
		{"nothing", nil, ""},
		{"another label", &Pod{Labels: map[string]string{"team": "it"}}, ""},
		{"a label of the selector", &Pod{Labels: map[string]string{instanceLabel: "x"}}, instanceLabel},
		{"the variable of a file of authorities", &Pod{Environment: map[string]string{"SSL_CERT_FILE": "/ca"}}, ""},
		{"that variable, and authorities", &Pod{Environment: map[string]string{"SSL_CERT_FILE": "/ca"},
			CACertificatePEM: new("x")}, "ca_certificate_pem"},
		{"the annotation of a redeployment", &Pod{Annotations: map[string]string{redeployedKey: "x"}}, redeployedKey},
	} {
		err := (&Target{Config: Config{Name: "bridge", Pod: row.pod}}).check()
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}

func TestAMergePatchIsAppliedAsRFC7386Says(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, target, patch, want string }{
		{"a value is replaced", `{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{"a value is added", `{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{"null removes", `{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{"a list is replaced as a whole", `{"a":["b"]}`, `{"a":["c","d"]}`, `{"a":["c","d"]}`},
		{"objects are merged", `{"a":{"b":"c"}}`, `{"a":{"d":1}}`, `{"a":{"b":"c","d":1}}`},
		{"an object takes the place of a value", `{"a":"b"}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var target, patch object
			if json.Unmarshal([]byte(row.target), &target) != nil || json.Unmarshal([]byte(row.patch), &patch) != nil {
				t.Fatal("the row is no JSON")
			}
			merge(target, patch)
			if got, _ := json.Marshal(target); string(got) != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

// A revision is another one exactly if the pods are other ones.
func TestOnlyWhatIsInThePodsIsInTheRevision(t *testing.T) {
	t.Parallel()
	of := func(change func(*Config)) string {
		config := aDesign(nil).Config
		change(&config)
		return (&Target{Config: config}).Build(config.Image)
	}
	before := of(func(*Config) {})
	for _, row := range []struct {
		name   string
		change func(*Config)
		same   bool
	}{
		{"replicas", func(c *Config) { c.Replicas = 9 }, true},
		{"a policy", func(c *Config) { c.NetworkPolicy = false }, true},
		{"the Service", func(c *Config) { c.Service = &Service{Type: "LoadBalancer", Port: 443} }, true},
		{"the image", func(c *Config) { c.Image = "other" }, false},
		{"a label of the pods", func(c *Config) { c.Pod = &Pod{Labels: map[string]string{"a": "b"}} }, false},
		{"a patch", func(c *Config) { c.Patch = new(`{"spec":{}}`) }, false},
	} {
		if same := of(row.change) == before; same != row.same {
			t.Errorf("%s: the revision stays: %t", row.name, same)
		}
	}
}

func TestNamesOfObjectsAndNamespaces(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name              string
		object, namespace bool
	}{
		{"bridge", true, true}, {"b-1", true, true}, {"", false, false}, {"1bridge", false, true},
		{"Bridge", false, false}, {"a_b", false, false}, {"a.b", false, false}, {"-a", false, false},
		{"a-", false, false},
		{strings.Repeat("a", 40), true, true}, {strings.Repeat("a", 41), false, true},
		{strings.Repeat("a", 63), false, true}, {strings.Repeat("a", 64), false, false},
	} {
		if got := CheckName(row.name) == nil; got != row.object {
			t.Errorf("%q as an object's name: %t", row.name, got)
		}
		if got := CheckNamespace(row.name) == nil; got != row.namespace {
			t.Errorf("%q as a namespace: %t", row.name, got)
		}
	}
}

func TestOnlyAPatchMakesAGap(t *testing.T) {
	t.Parallel()
	rolling := func(update string) string { return `{"spec":{"strategy":{"rollingUpdate":{` + update + `}}}}` }
	for _, row := range []struct {
		name, patch string
		replicas    int64
		want        bool
	}{
		{"nothing", `{}`, 1, false},
		{"another strategy", `{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}`, 3, true},
		{"the same strategy", `{"spec":{"strategy":{"type":"RollingUpdate"}}}`, 1, false},
		{"one of three may end first", rolling(`"maxUnavailable":1`), 3, false},
		{"the only one may end first", rolling(`"maxUnavailable":1`), 1, true},
		{"half may end first", rolling(`"maxUnavailable":"50%"`), 2, false},
		{"half of one, which is none", rolling(`"maxUnavailable":"50%"`), 1, false},
		{"all may end first", rolling(`"maxUnavailable":"100%"`), 4, true},
		{"none in the place of the only one, so that it ends first", rolling(`"maxSurge":0,"maxUnavailable":"50%"`), 1,
			true},
		{"Kubernetes' own defaults, of a quarter each", `{"spec":{"strategy":null}}`, 1, false},
	} {
		config := Config{Patch: new(row.patch), Replicas: row.replicas}
		if got := (&Target{Config: config}).Gap(&Target{}); (got != "") != row.want {
			t.Errorf("%s: %q", row.name, got)
		}
	}
}
