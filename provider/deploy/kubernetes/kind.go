package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// A Config is the argument `kubernetes` of scimbridge_deployment.
type Config struct {
	Namespace     string   `tfsdk:"namespace" json:"-"`
	Name          string   `tfsdk:"name" json:"-"`
	Image         string   `tfsdk:"image" json:"image"`
	Replicas      int64    `tfsdk:"replicas" json:"replicas"`
	Service       *Service `tfsdk:"service" json:"service,omitempty"`
	NetworkPolicy bool     `tfsdk:"network_policy" json:"network_policy,omitempty"`
	Pod           *Pod     `tfsdk:"pod" json:"pod,omitempty"`
	Patch         *string  `tfsdk:"patch" json:"patch,omitempty"`
}

// A Service is how the bridges are reached.
type Service struct {
	Type        string            `tfsdk:"type" json:"type"`
	Port        int64             `tfsdk:"port" json:"port"`
	Annotations map[string]string `tfsdk:"annotations" json:"annotations,omitempty"`
}

// The defaults of a Service.
const (
	DefaultServiceType = "ClusterIP"
	DefaultServicePort = 80
)

// A Pod is what a deployment adds to its pods.
type Pod struct {
	Labels           map[string]string `tfsdk:"labels" json:"labels,omitempty"`
	Annotations      map[string]string `tfsdk:"annotations" json:"annotations,omitempty"`
	NodeSelector     map[string]string `tfsdk:"node_selector" json:"node_selector,omitempty"`
	Tolerations      []Toleration      `tfsdk:"tolerations" json:"tolerations,omitempty"`
	ImagePullSecrets []string          `tfsdk:"image_pull_secrets" json:"image_pull_secrets,omitempty"`
	Environment      map[string]string `tfsdk:"environment" json:"environment,omitempty"`
	CACertificatePEM *string           `tfsdk:"ca_certificate_pem" json:"ca_certificate_pem,omitempty"`
}

// A Toleration lets pods run on nodes with a taint. The names in JSON are those of Kubernetes.
type Toleration struct {
	Key      *string `tfsdk:"key" json:"key,omitempty"`
	Operator *string `tfsdk:"operator" json:"operator,omitempty"`
	Value    *string `tfsdk:"value" json:"value,omitempty"`
	Effect   *string `tfsdk:"effect" json:"effect,omitempty"`
	Seconds  *int64  `tfsdk:"toleration_seconds" json:"tolerationSeconds,omitempty"`
}

// Kind returns this kind of target for the cluster of a configuration.
func Kind(access cluster.Config) deploy.Kind {
	return deploy.Kind{
		Name: "kubernetes", Place: "NAMESPACE/NAME", PlaceArgument: "name",
		Supported: func() error { return nil },
		Open: func(place, trace string) (deploy.Target, error) {
			namespace, name, ok := strings.Cut(place, "/")
			if !ok || CheckNamespace(namespace) != nil || CheckName(name) != nil {
				return nil, fmt.Errorf("the place %q must look like NAMESPACE/NAME", place)
			}
			return &Target{Access: access, Config: Config{Namespace: namespace, Name: name}}, nil
		},
		FromConfig: func(decode func(into any) error, trace string) (deploy.Target, error) {
			t := &Target{Access: access}
			if err := decode(&t.Config); err != nil {
				return nil, err
			}
			return t, t.check()
		},
		FindLost: "If its objects were moved to another namespace or cluster, or the provider's block kubernetes " +
			"names another cluster than before, name the right one",
		Instance: func(trace string) string { return readTrace(trace).Instance },
		Every:    time.Second,
		SealedAlone: "Kubernetes replaces pods on its own, for instance when it drains a node, and a new pod is " +
			"sealed until a request with the bearer token reaches it, or the next apply. With unseal = \"stored\" it " +
			"unseals itself",
	}
}

// A trace says which bridge was seen last.
type trace struct {
	UID      string `json:"uid,omitempty"` // of the Deployment
	Instance string `json:"instance,omitempty"`
}

func readTrace(text string) (t trace) {
	_ = json.Unmarshal([]byte(text), &t)
	return t
}

var nameForm = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`)

// CheckName refuses what cannot be the name of every object of a deployment.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q must have at most 40 lower-case letters, digits and hyphens, and begin with a letter",
			name)
	}
	return nil
}

var namespaceForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// CheckNamespace refuses what cannot be the name of a namespace.
func CheckNamespace(name string) error {
	if !namespaceForm.MatchString(name) {
		return fmt.Errorf("%q must have at most 63 lower-case letters, digits and hyphens, and begin and end with a "+
			"letter or digit",
			name)
	}
	return nil
}

// check refuses what would take from the target what it needs.
func (t *Target) check() error {
	if err := t.Config.checkPod(); err != nil {
		return err
	}
	return t.Config.checkPatch()
}

// checkPod refuses labels, annotations and variables that the target sets itself.
func (c Config) checkPod() error {
	for name := range c.selector() {
		if _, ok := c.pod().Labels[name]; ok {
			return &deploy.ArgumentError{Argument: "pod", Title: "Unusable label", Err: fmt.Errorf(
				"pod.labels must not contain %s, by which the Deployment finds its pods: choose another label", name)}
		}
	}
	if _, ok := c.pod().Annotations[redeployedKey]; ok {
		return &deploy.ArgumentError{Argument: "pod", Title: "Unusable annotation", Err: fmt.Errorf(
			"pod.annotations must not contain %s, which a redeployment sets: choose another one", redeployedKey)}
	}
	if _, ok := c.pod().Environment[authoritiesVariable]; ok && c.pod().CACertificatePEM != nil {
		return &deploy.ArgumentError{Argument: "pod", Title: "Unusable variable", Err: fmt.Errorf(
			"pod.environment must not contain %s beside pod.ca_certificate_pem, which sets it: remove one of the two",
			authoritiesVariable)}
	}
	return nil
}

// checkPatch refuses a patch that is none, or of what the other arguments decide.
func (c Config) checkPatch() error {
	if c.Patch == nil {
		return nil
	}
	fault := func(format string, args ...any) error {
		return &deploy.ArgumentError{Argument: "patch", Title: "Unusable patch", Err: fmt.Errorf(format, args...)}
	}
	patch, err := c.patch()
	if err != nil {
		return fault("patch must be the JSON of an object, as jsonencode({...}) makes it: %w", err)
	}
	reserved := []string{
		"apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.annotations." + recordKey,
		"spec.selector", "spec.replicas", "spec.template.spec.containers", "spec.template.spec.volumes", "status",
		"spec.paused",
	}
	for _, name := range slices.Sorted(maps.Keys(c.selector())) {
		reserved = append(reserved, "metadata.labels."+name, "spec.template.metadata.labels."+name)
	}
	for _, path := range reserved {
		if has(patch, strings.Split(path, ".")) {
			return fault("patch must not contain %s, which the deployment's own arguments decide. A JSON merge patch "+
				"replaces a list as a whole; settings, pod and size change what is in these",
				path)
		}
	}
	return nil
}

func has(in any, path []string) bool {
	o, ok := in.(map[string]any)
	if !ok || len(path) == 0 {
		return false
	}
	for i := len(path); i > 0; i-- { // the key of an annotation has dots
		if value, ok := o[strings.Join(path[:i], ".")]; ok {
			return i == len(path) || value == nil || has(value, path[i:])
		}
	}
	return false
}

// patch decodes the patch.
func (c Config) patch() (patch map[string]any, err error) {
	if c.Patch == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	if err := json.Unmarshal([]byte(*c.Patch), &patch); err != nil {
		return nil, err
	}
	if patch == nil {
		return nil, errors.New("it is null")
	}
	return patch, nil
}

// pod is the configured Pod, or an empty one.
func (c Config) pod() Pod {
	if c.Pod == nil {
		return Pod{}
	}
	return *c.Pod
}

// service is the configured Service, or the default one.
func (c Config) service() Service {
	if c.Service == nil {
		return Service{Type: DefaultServiceType, Port: DefaultServicePort}
	}
	return *c.Service
}

// ServiceTypes are the types of a Service.
func ServiceTypes() []string { return slices.Clone(serviceTypes) }

var serviceTypes = []string{DefaultServiceType, "NodePort", "LoadBalancer"}
