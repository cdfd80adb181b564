package kubernetes

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

type object = cluster.Object

const (
	containerName = "scim-bridge"
	port          = 3002
	user          = 65532 // the image's
	sessionFolder = "/run/secrets/scim-bridge/session"
	tokenFolder   = "/run/secrets/scim-bridge/token"
	dataFolder    = "/var/lib/scim-bridge"
	// monitoringFolder is a whole folder, since the kubelet does not update a file that is mounted alone.
	monitoringFolder = "/run/secrets/scim-bridge/monitoring"

	sessionKey    = "session"
	caKey         = "ca.pem"
	tokenKey      = "bearer-token"
	monitoringKey = "monitoring-token"
	markKey       = "mark" // deploy.MonitoringToken's
	loadedKey     = "loaded"

	// authoritiesVariable names the file of the certificate authorities to the program.
	authoritiesVariable = "SSL_CERT_FILE"

	// drainDelay is how long a pod serves on when it is ended: for so long, clients may still be sent there.
	drainDelay = "5s"
	// grace is longer than that and the time for requests under way.
	grace = 40
	// minReady is how long a new pod must be ready before an old one is ended: it signs in
	// meanwhile, or it is seen that it cannot.
	minReady = 3

	// redeployedKey is the annotation of the pods that a redeployment changes.
	redeployedKey = "scimbridge/redeployed"
)

// The labels of every object.
const (
	managedLabel  = cluster.ManagedLabel
	nameLabel     = "app.kubernetes.io/name"
	instanceLabel = "app.kubernetes.io/instance"
)

// selector is the labels that select the pods. They never change.
func (c Config) selector() object {
	return object{nameLabel: containerName, instanceLabel: c.Name, managedLabel: cluster.FieldManager}
}

// selectorText is selector as a List wants it.
func (c Config) selectorText() string {
	var parts []string
	for name, value := range c.selector() {
		parts = append(parts, fmt.Sprint(name, "=", value))
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// belongs reports whether an object is one of this deployment.
func (c Config) belongs(o object) bool {
	have, _ := at(o, "metadata", "labels").(map[string]any)
	for name, value := range c.selector() {
		if have[name] != value {
			return false
		}
	}
	return true
}

// A part is one of the objects of a deployment.
type part struct {
	kind   cluster.Kind
	object object
}

func (p part) name() string {
	name, _ := at(p.object, "metadata", "name").(string)
	return name
}

// A design is a deployment as it is to be.
type design struct {
	record
	session    string
	token      string // stored; may be empty
	monitoring string // the monitoring token; may be empty
	mark       string // of the monitoring token
	loaded     string // the mark again, once all bridges are known to use that token; else empty
	redeployed string // the annotation's value; may be empty
	scaled     int64  // how many replicas an autoscaler has set; 0 if there is none
}

func (d design) sessionName() string { return d.Config.Name + "-session-" + d.suffix() }
func (d design) tokenName() string   { return d.Config.Name + "-token-" + d.suffix() }

// monitoringName is the same in all revisions, so that a running pod gets a new token.
func (d design) monitoringName() string { return d.Config.Name + "-monitoring" }

// secretNames are those of all Secrets that the pods read.
func (d design) secretNames() []string {
	names := []string{d.sessionName()}
	if d.Unseal == deploy.UnsealStored {
		names = append(names, d.tokenName())
	}
	if d.Monitoring != nil {
		names = append(names, d.monitoringName())
	}
	return names
}

// suffix makes the Secrets of another revision other ones: an old pod that is started again reads the old ones.
func (d design) suffix() string { return d.Revision[:min(8, len(d.Revision))] }

// parts are all objects, in the order in which they are made.
func (d design) parts() ([]part, error) {
	deployment, err := d.deployment()
	if err != nil {
		return nil, err
	}
	parts := []part{
		{cluster.ServiceAccounts, d.object(cluster.ServiceAccounts, d.Config.Name, object{
			"automountServiceAccountToken": false,
		})},
		{cluster.Secrets, d.sessionSecret()},
	}
	if d.Unseal == deploy.UnsealStored {
		parts = append(parts, part{cluster.Secrets, d.object(cluster.Secrets, d.tokenName(), object{
			"type": "Opaque", "data": object{tokenKey: encode(d.token)},
		})})
	}
	if d.Monitoring != nil {
		parts = append(parts, part{cluster.Secrets, d.monitoringSecret()})
	}
	parts = append(parts, part{cluster.Services, d.service()})
	if d.Config.Replicas > 1 {
		parts = append(parts, part{cluster.Budgets, d.object(cluster.Budgets, d.Config.Name, object{
			"spec": object{"maxUnavailable": int64(1), "selector": object{"matchLabels": d.Config.selector()}},
		})})
	}
	if d.Config.NetworkPolicy {
		parts = append(parts, part{cluster.Policies, d.object(cluster.Policies, d.Config.Name, object{
			"spec": object{
				"podSelector": object{"matchLabels": d.Config.selector()}, "policyTypes": []any{"Ingress"},
				"ingress": []any{object{"ports": []any{object{"protocol": "TCP", "port": int64(port)}}}},
			},
		})})
	}
	return append(parts, part{cluster.Deployments, deployment}), nil
}

// object makes an object of this deployment.
func (d design) object(k cluster.Kind, name string, content object) object {
	o := object{
		"apiVersion": k.APIVersion(), "kind": k.Name,
		"metadata": object{"name": name, "namespace": d.Config.Namespace, "labels": d.Config.selector()},
	}
	maps.Copy(o, content)
	return o
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func (d design) sessionSecret() object {
	data := object{sessionKey: encode(d.session)}
	if ca := d.Config.pod().CACertificatePEM; ca != nil {
		data[caKey] = encode(*ca)
	}
	o := d.object(cluster.Secrets, d.sessionName(), object{"type": "Opaque", "data": data})
	d.annotate(o, recordKey, d.String())
	return o
}

func (d design) annotate(o object, name, value string) {
	metadata, _ := o["metadata"].(object)
	annotations, ok := metadata["annotations"].(object)
	if !ok {
		annotations = object{}
		metadata["annotations"] = annotations
	}
	annotations[name] = value
}

func (d design) service() object {
	s := d.Config.service()
	o := d.object(cluster.Services, d.Config.Name, object{"spec": object{
		"type": s.Type, "selector": d.Config.selector(),
		"ports": []any{object{"name": "http", "port": s.Port, "targetPort": int64(port), "protocol": "TCP"}},
	}})
	for name, value := range s.Annotations {
		d.annotate(o, name, value)
	}
	return o
}

func (d design) deployment() (object, error) {
	selector := d.Config.selector()
	var spread []any
	for _, topology := range []string{"kubernetes.io/hostname", "topology.kubernetes.io/zone"} {
		spread = append(spread, object{
			"topologyKey": topology, "maxSkew": int64(1), "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": object{"matchLabels": selector},
		})
	}
	pod := object{
		"serviceAccountName": d.Config.Name, "automountServiceAccountToken": false, "enableServiceLinks": false,
		"terminationGracePeriodSeconds": int64(grace), "topologySpreadConstraints": spread,
		"securityContext": object{
			"runAsNonRoot": true, "runAsUser": int64(user), "runAsGroup": int64(user), "fsGroup": int64(user),
			"seccompProfile": object{"type": "RuntimeDefault"},
		},
		"containers": []any{d.container()},
		"volumes":    d.volumes(),
	}
	added := d.Config.pod()
	if len(added.NodeSelector) > 0 {
		pod["nodeSelector"] = toObject(added.NodeSelector)
	}
	if len(added.Tolerations) > 0 {
		pod["tolerations"] = toPlain(added.Tolerations)
	}
	var secrets []any
	for _, name := range added.ImagePullSecrets {
		secrets = append(secrets, object{"name": name})
	}
	if len(secrets) > 0 {
		pod["imagePullSecrets"] = secrets
	}
	labels := toObject(added.Labels)
	maps.Copy(labels, selector)
	annotations := toObject(added.Annotations)
	if d.redeployed != "" {
		annotations[redeployedKey] = d.redeployed
	}
	metadata := object{"labels": labels}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	o := d.object(cluster.Deployments, d.Config.Name, object{"spec": object{
		"replicas": cmp.Or(d.scaled, d.Config.Replicas), "minReadySeconds": int64(minReady),
		"revisionHistoryLimit": int64(3),
		"selector":             object{"matchLabels": selector},
		"strategy": object{
			"type": "RollingUpdate", "rollingUpdate": object{"maxSurge": int64(1), "maxUnavailable": int64(0)},
		},
		"template": object{"metadata": metadata, "spec": pod},
	}})
	d.annotate(o, recordKey, d.String())
	patch, err := d.Config.patch()
	if err != nil {
		return nil, err
	}
	merge(o, patch)
	return o, nil
}

func (d design) container() object {
	var env []any
	for _, name := range slices.Sorted(maps.Keys(d.environment())) {
		env = append(env, object{"name": name, "value": d.environment()[name]})
	}
	mounts := []any{
		object{"name": "session", "mountPath": sessionFolder, "readOnly": true},
		object{"name": "data", "mountPath": dataFolder},
	}
	if d.Unseal == deploy.UnsealStored {
		mounts = append(mounts, object{"name": "token", "mountPath": tokenFolder, "readOnly": true})
	}
	if d.Monitoring != nil {
		mounts = append(mounts, object{"name": "monitoring", "mountPath": monitoringFolder, "readOnly": true})
	}
	probe := func(path string, every, failures int64) object {
		return object{
			"httpGet":       object{"path": path, "port": int64(port), "scheme": "HTTP"},
			"periodSeconds": every, "failureThreshold": failures, "timeoutSeconds": int64(5),
		}
	}
	return object{
		"name": containerName, "image": d.Config.Image, "args": toPlain(d.arguments()), "env": env,
		"ports": []any{object{"name": "http", "containerPort": int64(port), "protocol": "TCP"}},
		// Neither fails while a bridge is sealed or the account is away: a restart would cure nothing.
		"livenessProbe":  probe("/ping", 10, 6),
		"readinessProbe": probe("/ready", 2, 2),
		"resources": object{
			"requests": object{"cpu": "50m", "memory": megabytes(d.Size.Memory() / 4)},
			"limits":   object{"memory": megabytes(d.Size.Limit())},
		},
		"securityContext": object{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
			"capabilities": object{"drop": []any{"ALL"}},
		},
		"volumeMounts": mounts,
	}
}

func megabytes(bytes int64) string { return strconv.FormatInt(bytes>>20, 10) + "Mi" }

// environment is that of the container.
func (d design) environment() map[string]string {
	env := map[string]string{"GOMEMLIMIT": strconv.FormatInt(d.Size.Memory(), 10)}
	added := d.Config.pod()
	if added.CACertificatePEM != nil {
		env[authoritiesVariable] = sessionFolder + "/" + caKey
	}
	maps.Copy(env, added.Environment)
	return env
}

// arguments are those of the program.
func (d design) arguments() []string {
	args := append([]string{
		"serve", "--listen=:" + strconv.Itoa(port), "--data-dir=" + dataFolder,
		"--session=" + sessionFolder + "/" + sessionKey, "--drain-delay=" + drainDelay, "--revision=" + d.Revision,
	}, d.Settings.Flags()...)
	if d.Unseal == deploy.UnsealStored {
		args = append(args, "--unseal-token-file="+tokenFolder+"/"+tokenKey)
	}
	if d.Monitoring != nil {
		args = append(args, "--monitoring-token-file="+monitoringFolder+"/"+monitoringKey)
	}
	return args
}

func (d design) volumes() []any {
	// The bridge refuses a token that everybody can read.
	secret := func(volume, name string) object {
		return object{"name": volume, "secret": object{"secretName": name, "defaultMode": int64(0o440)}}
	}
	volumes := []any{secret("session", d.sessionName()), object{"name": "data", "emptyDir": object{}}}
	if d.Unseal == deploy.UnsealStored {
		volumes = append(volumes, secret("token", d.tokenName()))
	}
	if d.Monitoring != nil {
		volumes = append(volumes, secret("monitoring", d.monitoringName()))
	}
	return volumes
}

func toObject(texts map[string]string) object {
	o := object{}
	for name, value := range texts {
		o[name] = value
	}
	return o
}

// toPlain returns a value as JSON has it, with whole numbers.
func toPlain(value any) (plain any) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		panic(fmt.Sprintf("kubernetes: only texts and numbers are converted: %v", err))
	}
	return whole(plain)
}

// whole turns numbers without a fraction into integers, as the API's client wants them.
func whole(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, item := range value {
			value[name] = whole(item)
		}
	case []any:
		for i, item := range value {
			value[i] = whole(item)
		}
	case float64:
		if value == float64(int64(value)) {
			return int64(value)
		}
	}
	return value
}

// merge applies a JSON merge patch, RFC 7386.
func merge(o, patch object) {
	for name, value := range patch {
		if value == nil {
			delete(o, name)
			continue
		}
		if inner, ok := value.(map[string]any); ok {
			if _, ok := o[name].(map[string]any); !ok {
				o[name] = object{}
			}
			merge(o[name].(map[string]any), inner)
			continue
		}
		o[name] = whole(value)
	}
}

// at returns what is at a path in an object; nil if there is nothing.
func at(o any, path ...string) any {
	for _, name := range path {
		inner, ok := o.(map[string]any)
		if !ok {
			return nil
		}
		o = inner[name]
	}
	return o
}

func textAt(o any, path ...string) string {
	text, _ := at(o, path...).(string)
	return text
}
