// Package cluster connects to the API of a Kubernetes cluster.
//
// It owns where the cluster is, which it finds as hashicorp/kubernetes does, what is asked of the API, and what an
// error of it says. It leaves which objects there are, and what they mean, to package kubernetes.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A Config says where the cluster is and with which credentials it is reached: the provider's block kubernetes. The
// zero value is the environment's: KUBE_CONFIG_PATH, KUBE_CONFIG_PATHS or KUBECONFIG, else the cluster that this
// program runs in.
type Config struct {
	ConfigPaths           []string
	ConfigContext         string
	ConfigContextCluster  string
	ConfigContextAuthInfo string

	// Host comes before what a kubeconfig has, and so do the credentials.
	Host                 string
	ClusterCACertificate string
	TLSServerName        string
	Insecure             bool
	Token                string
	ClientCertificate    string
	ClientKey            string
	ProxyURL             string
	Exec                 *Exec

	// Unknown are the arguments of the block that are not known yet. Open fails with their names.
	Unknown []string
}

// An Exec is a command that prints credentials, as clients of Kubernetes call it.
type Exec struct {
	APIVersion string
	Command    string
	Args       []string
	Env        map[string]string
}

// requestTimeout bounds each call of the API.
const requestTimeout = 30 * time.Second

var errTimeout = fmt.Errorf("timed out after %s", requestTimeout)

// Open returns a client. It calls nothing. If the configuration cannot be used, the error is an *AwayError.
func Open(config Config) (*Client, error) {
	if len(config.Unknown) > 0 {
		return nil, fmt.Errorf("not known yet in the provider block: %s. The plan does without the cluster; an apply "+
			"needs them", strings.Join(config.Unknown, ", "))
	}
	c, origin, err := config.load()
	if err != nil {
		return nil, &AwayError{config.Host, err}
	}
	c.QPS, c.Burst = 50, 100 // the default is for a controller that shares its cluster with hundreds
	c.UserAgent = FieldManager
	c.WarningHandler = rest.NoWarnings{} // standard error is no place that anybody reads
	asking := rest.CopyConfig(c)
	asking.Timeout = requestTimeout
	d, err := dynamic.NewForConfig(asking)
	if err != nil {
		return nil, &AwayError{origin, fmt.Errorf("the credentials of the Kubernetes cluster (%s) cannot be used: %w",
			origin, err)}
	}
	h, err := rest.HTTPClientFor(asking)
	if err != nil {
		return nil, &AwayError{origin, fmt.Errorf("the credentials of the Kubernetes cluster (%s) cannot be used: %w",
			origin, err)}
	}
	return &Client{dynamic: d, http: h, config: c, origin: origin}, nil
}

// load resolves the configuration. Origin is where it is from, for messages.
func (c Config) load() (config *rest.Config, origin string, err error) {
	paths := c.paths()
	if c.Host == "" && len(paths) == 0 {
		config, err := rest.InClusterConfig()
		if err == nil {
			return config, "the cluster that this runs in", nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, "", fmt.Errorf("the service account of this pod cannot be used: %w", err)
		}
		return nil, "", errors.New("no Kubernetes cluster is configured: name a kubeconfig in config_path of the " +
			"provider's block kubernetes or in KUBE_CONFIG_PATH, or set host and credentials there")
	}
	origin = cmp.Or(strings.Join(paths, string(os.PathListSeparator)), "the provider's block kubernetes")
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil { // clientcmd passes over a file that does not exist
			return nil, "", fmt.Errorf("the kubeconfig cannot be read: %w", err)
		}
	}
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: paths}
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, c.overrides())
	config, err = loaded.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("%s does not say how the Kubernetes cluster is reached: %w", origin, err)
	}
	if context := c.ConfigContext; context != "" {
		origin += ", context " + context
	}
	return config, origin, nil
}

// paths are the kubeconfigs: later ones fill in what earlier ones leave out.
func (c Config) paths() []string {
	paths := c.ConfigPaths
	if len(paths) == 0 && c.Host == "" {
		for _, name := range []string{"KUBE_CONFIG_PATH", "KUBE_CONFIG_PATHS", "KUBECONFIG"} {
			if text := os.Getenv(name); text != "" {
				paths = filepath.SplitList(text)
				break
			}
		}
	}
	expanded := make([]string, 0, len(paths))
	for _, path := range paths {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			if home, err := os.UserHomeDir(); err == nil {
				path = filepath.Join(home, rest)
			}
		}
		if path != "" {
			expanded = append(expanded, path)
		}
	}
	return expanded
}

func (c Config) overrides() *clientcmd.ConfigOverrides {
	o := &clientcmd.ConfigOverrides{
		CurrentContext: c.ConfigContext,
		Context:        clientcmdapi.Context{Cluster: c.ConfigContextCluster, AuthInfo: c.ConfigContextAuthInfo},
		ClusterInfo: clientcmdapi.Cluster{
			Server: c.Host, TLSServerName: c.TLSServerName, InsecureSkipTLSVerify: c.Insecure,
			CertificateAuthorityData: []byte(c.ClusterCACertificate), ProxyURL: c.ProxyURL,
		},
		AuthInfo: clientcmdapi.AuthInfo{
			Token: c.Token, ClientCertificateData: []byte(c.ClientCertificate), ClientKeyData: []byte(c.ClientKey),
		},
	}
	if e := c.Exec; e != nil {
		o.AuthInfo.Exec = &clientcmdapi.ExecConfig{
			APIVersion: e.APIVersion, Command: program(e.Command), Args: e.Args,
			InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		}
		for name, value := range e.Env {
			o.AuthInfo.Exec.Env = append(o.AuthInfo.Exec.Env, clientcmdapi.ExecEnvVar{Name: name, Value: value})
		}
	}
	return o
}

// program makes a path that is relative to Terraform's working directory absolute: client-go would cut ./ off, and
// look for the name in PATH.
func program(command string) string {
	if !strings.ContainsRune(command, filepath.Separator) {
		return command
	}
	path, err := filepath.Abs(command)
	if err != nil {
		return command
	}
	return path
}

// within bounds one call.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, requestTimeout, errTimeout)
}
