package docker

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

// A Config is the argument `docker` of scimbridge_deployment.
type Config struct {
	Name        string            `tfsdk:"name"`
	Image       *string           `tfsdk:"image"`
	Host        *string           `tfsdk:"host"`
	Ports       []string          `tfsdk:"ports"`
	Network     *string           `tfsdk:"network"`
	Memory      *int64            `tfsdk:"memory"` // MiB
	Environment map[string]string `tfsdk:"environment"`
}

const kindName = "docker"

// Kind returns this kind of target. Access says how engines are reached.
func Kind(access engine.Config) deploy.Kind {
	return deploy.Kind{
		Name: kindName, Place: "NAME", PlaceArgument: "name",
		Supported: func() error { return nil },
		Open: func(place, trace string) (deploy.Target, error) {
			return open(access, place, trace)
		},
		FromConfig: func(decode func(into any) error, trace string) (deploy.Target, error) {
			var c Config
			if err := decode(&c); err != nil {
				return nil, err
			}
			return fromConfig(access, c, trace)
		},
		FindLost: "If the container runs on another engine, set host to that one's address. Otherwise stop the " +
			"bridge where it runs; the account then reports it as lost after two minutes",
		Instance: func(trace string) string { return traceFrom(trace).Instance },
	}
}

// open returns the target at a place: NAME, or NAME@HOST for an engine that is not the
// provider's.
func open(access engine.Config, place, text string) (deploy.Target, error) {
	name, host, _ := strings.Cut(place, "@")
	if err := CheckName(name); err != nil {
		return nil, err
	}
	return newTarget(access, Config{Name: name, Host: pointer(cmp.Or(host, traceFrom(text).Host))}, text), nil
}

func fromConfig(access engine.Config, c Config, trace string) (deploy.Target, error) {
	if err := CheckName(c.Name); err != nil {
		return nil, &deploy.ArgumentError{Argument: "name", Title: "Invalid name", Err: err}
	}
	if _, err := parsePorts(c.Ports); err != nil {
		return nil, &deploy.ArgumentError{Argument: "ports", Title: "Invalid port", Err: err}
	}
	return newTarget(access, c, trace), nil
}

func newTarget(access engine.Config, c Config, trace string) *Target {
	t := &Target{Config: c, Trace: trace, access: access}
	if c.Host != nil {
		t.access = access.WithHost(*c.Host)
	}
	return t
}

// Place is the ID and the address of the engine.
func (t *Target) Place() string {
	if host := t.host(); host != "" {
		return t.ID() + "@" + host
	}
	return t.ID()
}

// host is the address of the engine as it is configured; empty for the default and for a
// context, which has more than an address.
func (t *Target) host() string {
	if t.access.Host == "" && t.access.UsesContext() {
		return ""
	}
	return cmp.Or(t.access.Host, os.Getenv("DOCKER_HOST"))
}

// URL returns the bridge's address at the published port, or else in its network. A port of
// an engine that is not known yet has none.
func (t *Target) URL() string {
	ports, _ := parsePorts(t.Ports)
	if !t.access.Known() && len(t.hostPorts()) > 0 {
		return ""
	}
	for _, p := range ports {
		if p.container == bridgePort {
			return "http://" + net.JoinHostPort(t.reachableAt(p.ip), fmt.Sprint(p.host))
		}
	}
	if t.onHostNetwork() {
		return "http://" + net.JoinHostPort(t.reachableAt(netip.Addr{}), fmt.Sprint(bridgePort))
	}
	return "http://" + net.JoinHostPort(t.Name, fmt.Sprint(bridgePort))
}

// reachableAt returns the host of a port that is published at ip.
func (t *Target) reachableAt(ip netip.Addr) string {
	if ip.IsValid() && !ip.IsUnspecified() {
		return ip.String()
	}
	u, err := url.Parse(t.access.Address())
	if err == nil && (u.Scheme == "tcp" || u.Scheme == "ssh") && u.Hostname() != "" {
		return u.Hostname()
	}
	return "127.0.0.1"
}

func (t *Target) onHostNetwork() bool { return text(t.Network) == "host" }

// Conflict refuses two deployments on one engine with one name or one port.
func (t *Target) Conflict(name string, other deploy.Target, otherName string) error {
	o, ok := other.(*Target)
	if !ok || t.host() != o.host() {
		return nil
	}
	if t.Name == o.Name {
		return &deploy.ArgumentError{Argument: "name", Title: "Two deployments with one name", Err: fmt.Errorf(
			"the deployments %q and %q have the same container name %q on one engine. Give each its own",
			otherName, name, t.Name)}
	}
	if port := t.sharedPort(o); port != "" {
		return &deploy.ArgumentError{Argument: "ports", Title: "Two deployments at one port", Err: fmt.Errorf(
			"the deployments %q and %q both need port %s of the host: only one of them can start. Give each its own",
			otherName, name, port)}
	}
	return nil
}

// sharedPort returns a port of the host that both deployments need; empty if there is none.
func (t *Target) sharedPort(o *Target) string {
	for _, p := range t.hostPorts() {
		for _, q := range o.hostPorts() {
			if p.host == q.host && (p.everywhere() || q.everywhere() || p.ip == q.ip) {
				return p.String()
			}
		}
	}
	return ""
}

// hostPorts returns the host's ports that the container takes.
func (t *Target) hostPorts() []published {
	ports, _ := parsePorts(t.Ports)
	if t.onHostNetwork() {
		ports = append(ports, published{host: bridgePort, container: bridgePort})
	}
	return ports
}

// Gap returns why a bridge cannot replace that of before without a gap; empty if it can.
func (t *Target) Gap(before deploy.Target) string {
	old, ok := before.(*Target)
	if !ok {
		return ""
	}
	if port := t.sharedPort(old); port != "" {
		return fmt.Sprintf("only one container can have the published port %s, so the old one is stopped before "+
			"the new one starts. In a network with a proxy, without ports, there is no gap", port)
	}
	if text(t.Network) != text(old.Network) || len(t.Ports)+len(old.Ports) > 0 {
		return "its clients find it at another address"
	}
	return ""
}

// A published port of the host leads to one of the container.
type published struct {
	ip              netip.Addr // zero: all
	host, container uint16
}

func (p published) everywhere() bool { return !p.ip.IsValid() || p.ip.IsUnspecified() }

func (p published) String() string {
	if p.everywhere() {
		return strconv.Itoa(int(p.host))
	}
	return net.JoinHostPort(p.ip.String(), fmt.Sprint(p.host))
}

// CheckPort refuses what is not a published port.
func CheckPort(text string) error {
	_, err := parsePort(text)
	return err
}

// IsPublic reports whether a published port can be reached from other machines.
func IsPublic(text string) bool {
	p, err := parsePort(text)
	return err == nil && (p.everywhere() || !p.ip.IsLoopback())
}

func parsePorts(texts []string) (ports []published, err error) {
	for _, text := range texts {
		p, err := parsePort(text)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// parsePort parses [HOST_IP:]HOST_PORT:CONTAINER_PORT.
func parsePort(text string) (p published, err error) {
	bad := fmt.Errorf("the port %q must be written HOST_PORT:%d or HOST_IP:HOST_PORT:%d, such as 127.0.0.1:3002:%d",
		text, bridgePort, bridgePort, bridgePort)
	i := strings.LastIndex(text, ":")
	if i < 0 {
		return p, bad
	}
	host, container := text[:i], text[i+1:]
	if strings.Contains(host, ":") {
		address, port, err := net.SplitHostPort(host)
		if err != nil {
			return p, bad
		}
		if p.ip, err = netip.ParseAddr(address); err != nil {
			return p, bad
		}
		p.ip, host = p.ip.Unmap(), port
	}
	for _, n := range []struct {
		text string
		into *uint16
	}{{host, &p.host}, {container, &p.container}} {
		number, err := strconv.ParseUint(n.text, 10, 16)
		if err != nil || number == 0 {
			return p, bad
		}
		*n.into = uint16(number)
	}
	return p, nil
}

// containerName is what both engines accept, and a name in DNS as well.
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,50}$`)

// CheckName refuses what cannot be a container's name.
func CheckName(name string) error {
	if !containerName.MatchString(name) {
		return fmt.Errorf("the name %q must have 1 to 51 letters, digits, dots, hyphens and underscores, and begin "+
			"with a letter or digit", name)
	}
	return nil
}

// CheckNetwork refuses networks in which nothing could reach the bridge.
func CheckNetwork(name string) error {
	switch {
	case name == "none" || strings.HasPrefix(name, "container:") || name == "":
		return fmt.Errorf("network %q cannot be used: name a network of the engine (`docker network ls`)", name)
	case name == "bridge" || name == "default":
		return fmt.Errorf("in the network %q containers have no names to be found by: name one that `docker network "+
			"create` made, or leave network out and set ports", name)
	}
	return nil
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func pointer(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// CheckImage refuses what is not the name of an image.
func CheckImage(name string) error {
	if _, err := reference.ParseNormalizedNamed(name); err != nil || strings.TrimSpace(name) != name {
		return fmt.Errorf("image %q is not the name of an image: write it as "+
			"registry.example.com/scim-bridge:1.2.0", name)
	}
	return nil
}
