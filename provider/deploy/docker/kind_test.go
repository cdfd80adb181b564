package docker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

// target is a target as a configuration describes it.
func target(t *testing.T, access engine.Config, c Config) *Target {
	t.Helper()
	made, err := Kind(access).FromConfig(func(into any) error {
		*into.(*Config) = c
		return nil
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	return made.(*Target)
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text   string
		want   string // of the host's port; empty: refused
		public bool
	}{
		{"3002:3002", "3002", true},
		{"0.0.0.0:80:3002", "80", true},
		{"127.0.0.1:3002:3002", "127.0.0.1:3002", false},
		{"[::1]:3002:3002", "[::1]:3002", false},
		{"[::ffff:127.0.0.1]:3002:3002", "127.0.0.1:3002", false},
		{"192.0.2.1:443:3002", "192.0.2.1:443", true},
		{"3002", "", false},
		{"0:3002", "", false},
		{"70000:3002", "", false},
		{"localhost:3002:3002", "", false},
		{"::1:3002:3002", "", false},
		{"3002:3002/udp", "", false},
		{"", "", false},
	} {
		p, err := parsePort(row.text)
		if row.want == "" {
			if err == nil || !strings.Contains(err.Error(), "HOST_PORT:3002") {
				t.Errorf("%q: %v, want an error with the form", row.text, err)
			}
			continue
		}
		if err != nil || p.String() != row.want || IsPublic(row.text) != row.public {
			t.Errorf("%q: %s, public: %t, %v", row.text, p, IsPublic(row.text), err)
		}
	}
}

func TestTheURLIsThatOfThePublishedPortOrOfTheNetwork(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		access engine.Config
		config Config
		want   string
	}{
		{"a port of this machine", engine.Config{Host: "unix:///run/x.sock"},
			Config{Name: "b", Ports: []string{"8080:3002"}}, "http://127.0.0.1:8080"},
		{"a port of another machine", engine.Config{},
			Config{Name: "b", Host: new("ssh://me@host.example.com"), Ports: []string{"8080:3002"}},
			"http://host.example.com:8080"},
		{"a port of one address", engine.Config{Host: "tcp://host.example.com:2376"},
			Config{Name: "b", Ports: []string{"[2001:db8::1]:8080:3002"}}, "http://[2001:db8::1]:8080"},
		{"the bridge's own port among others", engine.Config{Host: "unix:///run/x.sock"},
			Config{Name: "b", Ports: []string{"9:9", "8080:3002"}}, "http://127.0.0.1:8080"},
		{"a network", engine.Config{Host: "unix:///run/x.sock"}, Config{Name: "b", Network: new("proxy")},
			"http://b:3002"},
		{"the host's network", engine.Config{Host: "unix:///run/x.sock"}, Config{Name: "b", Network: new("host")},
			"http://127.0.0.1:3002"},
	} {
		if got := target(t, row.access, row.config).URL(); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestAGapIsAnnouncedExactlyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	proxied := Config{Name: "b", Network: new("proxy")}
	published := Config{Name: "b", Ports: []string{"127.0.0.1:3002:3002"}}
	for _, row := range []struct {
		name     string
		old, now Config
		want     string // in the reason; empty: no gap
	}{
		{"in a network", proxied, proxied, ""},
		{"at a port", published, published, "127.0.0.1:3002"},
		{"at a port of every address", published, Config{Name: "b", Ports: []string{"3002:3002"}}, "3002"},
		{"in the host's network", Config{Name: "b", Network: new("host")}, Config{Name: "b", Network: new("host")},
			"3002"},
		{"another network", proxied, Config{Name: "b", Network: new("other")}, "another address"},
		{"another port", published, Config{Name: "b", Ports: []string{"127.0.0.1:3003:3002"}}, "another address"},
	} {
		got := target(t, engine.Config{}, row.now).Gap(target(t, engine.Config{}, row.old))
		if (got == "") != (row.want == "") || !strings.Contains(got, row.want) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestDeploymentsThatCannotBothExistAreRefused(t *testing.T) {
	t.Parallel()
	one := Config{Name: "one", Ports: []string{"127.0.0.1:3002:3002"}}
	for _, row := range []struct {
		name     string
		other    Config
		argument string // empty: they can
	}{
		{"one name", Config{Name: "one", Network: new("proxy")}, "name"},
		{"one port", Config{Name: "two", Ports: []string{"3002:3002"}}, "ports"},
		{"other addresses", Config{Name: "two", Ports: []string{"127.0.0.2:3002:3002"}}, ""},
		{"another engine", Config{Name: "one", Host: new("tcp://192.0.2.1:2376"), Ports: []string{"3002:3002"}}, ""},
	} {
		err := target(t, engine.Config{}, one).Conflict("first", target(t, engine.Config{}, row.other), "second")
		at, refused := errors.AsType[*deploy.ArgumentError](err)
		if refused != (row.argument != "") || refused && (at.Argument != row.argument ||
			!strings.Contains(err.Error(), "first") || !strings.Contains(err.Error(), "second")) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestAPlaceNamesTheEngine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ place, trace, id, want string }{
		{"bridge", "", "docker:bridge", "docker:bridge@unix:///provider.sock"},
		{"bridge@ssh://me@host", "", "docker:bridge", "docker:bridge@ssh://me@host"},
		{"bridge", `{"host":"tcp://192.0.2.1:2376"}`, "docker:bridge", "docker:bridge@tcp://192.0.2.1:2376"},
	} {
		opened, err := Kind(engine.Config{Host: "unix:///provider.sock"}).Open(row.place, row.trace)
		if err != nil || opened.ID() != row.id || opened.Place() != row.want {
			t.Errorf("%s %s: %v, %v", row.place, row.trace, opened, err)
		}
	}
	if _, err := Kind(engine.Config{}).Open("no name", ""); err == nil {
		t.Error("a place without a name is taken")
	}
}

// What the engine shows of a container has the name of the file, and no token.
func TestAMonitoringTokenIsAFileAndNothingThatTheEngineShows(t *testing.T) {
	t.Parallel()
	const text = "a-monitoring-token-of-a-test"
	token, err := deploy.ParseMonitoringToken(text)
	if err != nil {
		t.Fatal(err)
	}
	spec := deploy.Spec{Monitoring: &deploy.Monitoring{Version: new(int64(7)), Token: token}}
	b := target(t, engine.Config{}, Config{Name: "b", Ports: []string{"3002:3002"}})
	r := newRecord(b, spec, "r1", "0", "0")
	labels := map[string]string{labelDeployment: "b", labelRevision: "r1"}
	shown, err := json.Marshal([]any{b.containerConfig(localImage{}, defaultUser, labels, spec, "r1"),
		b.hostConfig("volume", container.LogConfig{}, spec.Size, r.Memory)})
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(shown)+string(recorded), text) || strings.Contains(string(shown), r.Mark) {
		t.Errorf("it has the token or its mark: %s %s", shown, recorded)
	}
	const flag = "--monitoring-token-file=/var/lib/scim-bridge/monitoring-token"
	if !strings.Contains(string(shown), flag) {
		t.Errorf("it lacks %s: %s", flag, shown)
	}
	if !deploy.IsMarked(r.Mark, text) || *r.spec().Monitoring.Version != 7 {
		t.Errorf("the record does not recognize the token: %s", recorded)
	}
	if args := b.arguments(deploy.Spec{}, "r1"); slices.Contains(args, flag) {
		t.Errorf("without a token there is the argument: %q", args)
	}
}

func TestTheCommandFollowsTheWayToTheBridge(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		config   Config
		has, not []string
	}{
		{"in a network it drains", Config{Name: "b", Network: new("proxy")}, []string{"--drain-delay=5s"},
			[]string{"--insecure-http"}},
		{"at a port it ends at once", Config{Name: "b", Ports: []string{"3002:3002"}}, nil,
			[]string{"--drain-delay=5s", "--insecure-http"}},
		{"a port of loopback needs no HTTPS", Config{Name: "b", Ports: []string{"127.0.0.1:3002:3002"}},
			[]string{"--insecure-http"}, []string{"--drain-delay=5s"}},
	} {
		args := target(t, engine.Config{}, row.config).arguments(deploy.Spec{Unseal: deploy.UnsealStored}, "r1")
		for _, want := range append(row.has, "--revision=r1", "--unseal-token-file=/var/lib/scim-bridge/unseal-token") {
			if !slices.Contains(args, want) {
				t.Errorf("%s: %q lack %s", row.name, args, want)
			}
		}
		for _, not := range row.not {
			if slices.Contains(args, not) {
				t.Errorf("%s: %q have %s", row.name, args, not)
			}
		}
	}
}

func TestEnginesErrorsGetARemedy(t *testing.T) {
	t.Parallel()
	for text, remedy := range map[string]string{
		"Bind for 0.0.0.0:3002 failed: port is already allocated": "another port in ports",
		"rootlessport listen tcp 0.0.0.0:80: bind: address already in use": "another " +
			"port in ports",
		"network proxy not found": "docker " +
			"network create",
		"no matching manifest for linux/arm64/v8 in the manifest list entries": "no image " +
			"for the engine's platform",
		`Conflict. The container name "/b" is already in use by container "0"`: "another " +
			"container has the name",
		"write /var/lib/docker/x: no space left on device": "docker " +
			"system df",
		"listen tcp4 192.0.2.1:80: bind: cannot assign requested address": "correct " +
			"it in ports",
	} {
		err := errors.New(text)
		for _, got := range []error{explain(err), explainPull(err)} {
			if !errors.Is(got, err) || !strings.Contains(got.Error(), remedy) {
				t.Errorf("%s becomes %v", text, got)
			}
		}
	}
}

// A text like "permission denied" has nothing to do with a registry elsewhere.
func TestOnlyAPullsErrorsGetTheRemediesOfRegistries(t *testing.T) {
	t.Parallel()
	for text, remedy := range map[string]string{
		"manifest for example.com/x:1 not found: manifest unknown":                          "name and tag in image",
		"pull access denied for x, repository does not exist or may require 'docker login'": "other credentials",
		"Get https://r.example.com/v2/: dial tcp: lookup r.example.com: no such host":       "cannot reach the",
	} {
		err := errors.New(text)
		if got := explainPull(err); !errors.Is(got, err) || !strings.Contains(got.Error(), remedy) {
			t.Errorf("%s becomes %v", text, got)
		}
	}
	for _, text := range []string{"runc create failed: open /x: permission denied", "dial unix: connection refused"} {
		if got := explain(errors.New(text)); got.Error() != text {
			t.Errorf("%s becomes %v", text, got)
		}
	}
}

func TestALostConnectionIsTheEnginesErrorAlone(t *testing.T) {
	t.Parallel()
	lost := &engine.Error{Host: "ssh://host (host)", Reason: "nothing listens at that port"}
	got := explain(fmt.Errorf(`error during connect: Get "http://container-engine/v1.51/info": %w`, lost))
	if _, ok := errors.AsType[*deploy.AwayError](got); !ok || got.Error() != lost.Error() {
		t.Errorf("it becomes %v", got)
	}
}

func TestANetworkWithoutNamesIsRefused(t *testing.T) {
	t.Parallel()
	for name, taken := range map[string]bool{"proxy": true, "host": true, "bridge": false, "default": false,
		"none": false, "container:x": false, "": false} {
		if err := CheckNetwork(name); (err == nil) != taken {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAnEngineThatIsNotKnownYetHasNoURLOfItsPorts(t *testing.T) {
	t.Parallel()
	access := engine.Config{Unknown: []string{"docker.host"}}
	for _, row := range []struct {
		name   string
		config Config
		want   string
	}{
		{"a port", Config{Name: "b", Ports: []string{"8080:3002"}}, ""},
		{"the host's network", Config{Name: "b", Network: new("host")}, ""},
		{"a network", Config{Name: "b", Network: new("proxy")}, "http://b:3002"},
		{"an engine of its own", Config{Name: "b", Host: new("tcp://192.0.2.1:2376"), Ports: []string{"8080:3002"}},
			"http://192.0.2.1:8080"},
	} {
		if got := target(t, access, row.config).URL(); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

// A context has certificates and more, so that its address alone leads elsewhere.
func TestThePlaceAtAContextIsNotThatOfTheEnvironment(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///environment.sock")
	for name, want := range map[string]string{"remote": "docker:b", "default": "docker:b@unix:///environment.sock",
		"": "docker:b@unix:///environment.sock"} {
		if got := target(t, engine.Config{Context: name}, Config{Name: "b"}).Place(); got != want {
			t.Errorf("with the context %q: %s, want %s", name, got, want)
		}
	}
}

func TestTheSameProgramMakesTheSameImage(t *testing.T) {
	t.Parallel()
	b := bundle{name: "scim-bridge:bundled-0", arch: "arm64", version: "1.2.3", digest: "0", content: []byte("program")}
	var first, second bytes.Buffer
	if err := errors.Join(b.write(&first), b.write(&second)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) || !bytes.Contains(first.Bytes(), []byte(`"architecture":"arm64"`)) {
		t.Error("two images differ, or are not for the platform")
	}
}
