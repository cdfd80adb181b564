package process

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A Config is the argument `process` of scimbridge_deployment.
type Config struct {
	Listen  string  `tfsdk:"listen"`
	DataDir string  `tfsdk:"data_dir"`
	Binary  *string `tfsdk:"binary"`
}

// Kind returns this kind of target for this machine.
func Kind() deploy.Kind {
	return deploy.Kind{
		Name: "process", Place: "/absolute/data_dir", PlaceArgument: "data_dir",
		Supported:  Supported,
		Open:       open,
		FromConfig: fromConfig,
		Elsewhere: func(place string, origin []byte) error {
			return ThisMachine().elsewhere(place, origin)
		},
		FindLost: "If its folder was moved, move it back. If it runs from another folder, stop its process with kill " +
			"(`pgrep -af 'scim-bridge serve'` lists them); the account then reports it as lost after two minutes",
		Instance: instanceOf,
	}
}

func open(dataDir, trace string) (deploy.Target, error) {
	if err := CheckDataDir(dataDir); err != nil {
		return nil, err
	}
	return &Target{DataDir: dataDir, Machine: ThisMachine(), Trace: trace}, nil
}

func fromConfig(decode func(into any) error, trace string) (deploy.Target, error) {
	var c Config
	if err := decode(&c); err != nil {
		return nil, err
	}
	t := &Target{DataDir: c.DataDir, Listen: c.Listen, Machine: ThisMachine(), Trace: trace}
	if c.Binary != nil {
		t.Binary = *c.Binary
	}
	return t, nil
}

// Place is the ID, with links followed in the data folder's path.
func (t *Target) Place() string { return Kind().Prefix() + resolveLinks(t.DataDir) }

// resolveLinks follows links in the part of a path that exists.
func resolveLinks(path string) string {
	for rest, at := "", path; ; rest, at = filepath.Join(filepath.Base(at), rest), filepath.Dir(at) {
		if existing, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(existing, rest)
		}
		if at == filepath.Dir(at) {
			return path
		}
	}
}

// URL returns the bridge's URL on this machine; empty if the system chooses the port.
func (t *Target) URL() string { return urlOf(t.Listen) }

func urlOf(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "http://" + listen // the bridge refuses it when it starts
	}
	if number, err := strconv.Atoi(port); err == nil && number == 0 {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Conflict refuses two deployments in one folder or at one address.
func (t *Target) Conflict(name string, other deploy.Target, otherName string) error {
	o, ok := other.(*Target)
	switch {
	case !ok:
		return nil
	case t.Place() == o.Place():
		return &deploy.ArgumentError{Argument: "data_dir", Title: "Two deployments in one folder", Err: fmt.Errorf(
			"the deployments %q and %q have the same data_dir %s. Give each its own folder", otherName, name,
			resolveLinks(t.DataDir))}
	case sameListener(t.Listen, o.Listen):
		return &deploy.ArgumentError{Argument: "listen", Title: "Two deployments at one address", Err: fmt.Errorf(
			"the deployment %q listens on %s and the deployment %q on %s: only one of them can start. Give each its "+
				"own port",
			otherName, o.Listen, name, t.Listen)}
	}
	return nil
}

// sameListener reports whether two addresses cannot be bound at the same time.
func sameListener(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil ||
		strings.TrimLeft(portA, "0") != strings.TrimLeft(portB, "0") || strings.Trim(portA, "0") == "" {
		return false // different ports, or the system chooses one
	}
	return isWildcard(hostA) || isWildcard(hostB) || canonicalHost(hostA) == canonicalHost(hostB)
}

func isWildcard(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// canonicalHost returns the canonical form of an address.
func canonicalHost(host string) string {
	if strings.EqualFold(host, "localhost") {
		return "127.0.0.1" // Go binds this one for localhost if it can
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(host)
}
