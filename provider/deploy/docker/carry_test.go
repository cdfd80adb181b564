package docker

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		folder, name string
		kept         bool
	}{
		{"journal", "events-20261129T110000.000000000Z-abcdefgh.jsonl", true},
		{"journal", "reads-20261129T110000.000000000Z-abcdefgh.jsonl", true},
		{"journal", "traffic-20261129T110000.000000000Z-abcdefgh.jsonl", true},
		{"log", "scim-bridge-20261129T110000.000000000Z-abcdefgh.log", true},
		{"journal", "scim-bridge-20261129T110000.000000000Z-abcdefgh.log", false},
		{"log", "events-20261129T110000.000000000Z-abcdefgh.jsonl", false},
		{"journal", "key", false},
		{"journal", "notes.txt", false},
		{"journal", "below/events-x.jsonl", false},
		{"journal", "", false},
	} {
		if got := isOneOf(journal.Kept()[row.folder], row.name); got != row.kept {
			t.Errorf("%s/%s: kept %t", row.folder, row.name, got)
		}
	}
}

// volumes are those of the containers of an engine, by the containers' names, and what it was asked in that order.
type volumes struct {
	t *testing.T

	mu    sync.Mutex
	files map[string]map[string]string // by their paths in the data folder
	asked []string
	ended string // the container whose bridge ends when it is started; empty for none
}

func (v *volumes) note(r *http.Request, what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, strings.TrimSpace(r.Method+" "+r.PathValue("id")+" "+what))
}

// took returns what was asked, in one line.
func (v *volumes) took() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.asked, ", ")
}

func (v *volumes) get(w http.ResponseWriter, r *http.Request) {
	asked, _ := strings.CutPrefix(r.URL.Query().Get("path"), dataDir+"/")
	v.note(r, asked)
	v.mu.Lock()
	defer v.mu.Unlock()
	var packed bytes.Buffer
	out := tar.NewWriter(&packed)
	found := false
	add := func(h tar.Header, text string) {
		found = true
		h.Size = int64(len(text))
		if err := out.WriteHeader(&h); err != nil {
			v.t.Error(err)
		}
		_, _ = io.WriteString(out, text)
	}
	have := v.files[r.PathValue("id")]
	for _, name := range slices.Sorted(maps.Keys(have)) {
		switch within, below := strings.CutPrefix(name, asked+"/"); {
		case name == asked:
			add(tar.Header{Typeflag: tar.TypeReg, Name: path.Base(name), Mode: 0o600}, have[name])
		case below:
			if !found {
				add(tar.Header{Typeflag: tar.TypeDir, Name: path.Base(asked) + "/", Mode: 0o700}, "")
			}
			add(tar.Header{Typeflag: tar.TypeReg, Name: path.Base(asked) + "/" + within, Mode: 0o600}, have[name])
		}
	}
	if !found {
		notFound(w, "no such file")
		return
	}
	stat, _ := json.Marshal(map[string]any{"name": path.Base(asked)})
	w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(stat))
	_, _ = w.Write(packed.Bytes())
}

// put unpacks an archive. Like an engine, it makes the folders that are not in it root's, which is an error here.
func (v *volumes) put(w http.ResponseWriter, r *http.Request) {
	into := r.URL.Query().Get("path")
	v.note(r, "")
	v.mu.Lock()
	defer v.mu.Unlock()
	folders := map[string]bool{dataDir: true}
	for in := tar.NewReader(r.Body); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			v.t.Error(err)
			break
		}
		name := path.Join(into, h.Name)
		if h.Typeflag == tar.TypeDir {
			folders[name] = true
			continue
		}
		if !folders[path.Dir(name)] || h.Uid != 65532 {
			v.t.Errorf("%s is of the user %d, and its folder is root's: %v", name, h.Uid, folders)
		}
		text, _ := io.ReadAll(in)
		within, _ := strings.CutPrefix(name, dataDir+"/")
		v.files[r.PathValue("id")][within] = string(text)
	}
	w.WriteHeader(http.StatusOK)
}

// engine is one with the containers of an update, each of which would run a bridge of the revision "r" that is ready.
func (v *volumes) engine() *client.Client {
	v.t.Helper()
	done := func(what string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			v.note(r, what)
			w.WriteHeader(http.StatusNoContent)
		}
	}
	status, err := json.Marshal(control.Status{Revision: "r", ObservedRevision: "r", State: control.Ready})
	if err != nil {
		v.t.Fatal(err)
	}
	return fakeEngine(v.t, map[string]http.HandlerFunc{
		"GET /containers/{id}/archive": v.get,
		"PUT /containers/{id}/archive": v.put,
		"POST /containers/{id}/stop":   done("stop"),
		"POST /containers/{id}/start":  done("start"),
		"POST /containers/{id}/rename": done("rename"),
		"DELETE /containers/{id}":      done("remove"),
		"DELETE /volumes/{name}": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		},
		"POST /networks/{name}/connect":    answer(map[string]any{}),
		"POST /networks/{name}/disconnect": answer(map[string]any{}),
		"GET /containers/{id}/json": func(w http.ResponseWriter, r *http.Request) {
			g := generationOf(r.PathValue("id"))
			g.info.State.Running = v.ended != r.PathValue("id")
			answer(g.info)(w, r)
		},
		"POST /containers/{id}/exec": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			answer(map[string]any{"Id": "e"})(w, r)
		},
		"POST /exec/e/start": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				v.t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"+
				"Content-Type: application/vnd.docker.multiplexed-stream\r\n\r\n")
			frame := append([]byte{1, 0, 0, 0}, binary.BigEndian.AppendUint32(nil, uint32(len(status)))...)
			_, _ = conn.Write(append(frame, status...))
		},
		"GET /exec/e/json": answer(map[string]any{"ID": "e", "ExitCode": 0}),
	})
}

// generationOf is a container that runs.
func generationOf(name string) *generation {
	return &generation{container.InspectResponse{
		ID: name, Name: "/" + name, State: &container.State{Running: true, Status: container.StateRunning},
		Config: &container.Config{User: defaultUser}, HostConfig: &container.HostConfig{},
		NetworkSettings: &container.NetworkSettings{},
	}}
}

const (
	someKey = "0123456789abcdef0123456789abcdef"
	past    = "journal/events-20261129T110000.000000000Z-abcdefgh.jsonl"
)

func newVolumes(t *testing.T) *volumes {
	return &volumes{t: t, files: map[string]map[string]string{
		"old": {
			"session": "sealed", "journal/key": someKey, past: "what happened", "journal/notes.txt": "mine",
			"log/scim-bridge-20261129T110000.000000000Z-abcdefgh.log": "what it said",
		},
		"next": {"session": "sealed"},
	}}
}

// While no bridge runs, nothing is copied: 48 MiB through an engine that is far away take minutes.
func TestTheJournalIsCopiedWhileABridgeServes(t *testing.T) {
	t.Parallel()
	network := "net"
	for _, row := range []struct {
		name    string
		replace func(*Target, *client.Client, *generation, *generation) error
		want    string
	}{
		{"the new bridge needs the old one's port", func(made *Target, c *client.Client, old, next *generation) error {
			return made.replaceInPlace(t.Context(), c, old, next, "r", deploy.Spec{}, session.Token{})
		}, "GET old journal/key, PUT next, POST old stop, GET old holds, POST old rename, POST next rename, " +
			"POST next start, GET old journal, PUT next, GET old log, PUT next, DELETE old remove"},
		{"the new bridge runs beside the old one", func(made *Target, c *client.Client, old, next *generation) error {
			return made.replaceWithoutGap(t.Context(), c, old, next, "r", deploy.Spec{}, session.Token{})
		}, "GET old journal/key, PUT next, POST next start, POST old rename, POST next rename, POST old stop, " +
			"GET old journal, PUT next, GET old log, PUT next, DELETE old remove"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			v := newVolumes(t)
			made := &Target{Config: Config{Name: "b", Network: &network}}
			if err := row.replace(made, v.engine(), generationOf("old"), generationOf("next")); err != nil {
				t.Fatal(err)
			}
			if got := v.took(); got != row.want {
				t.Errorf("the engine was asked\n%s\nwant\n%s", got, row.want)
			}
			has := v.files["next"]
			if has["journal/key"] != someKey || has[past] != "what happened" || has["journal/notes.txt"] != "" ||
				len(has) != 4 {
				t.Errorf("the new volume has %q", has)
			}
		})
	}
}

// What a bridge holds beyond its suspension limit is whole in one volume: it is copied while no bridge runs.
func TestWhatIsHeldIsCopiedBetweenTheOldBridgeAndTheNew(t *testing.T) {
	t.Parallel()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	far, err := session.ParseDirectoryToken("far")
	if err != nil {
		t.Fatal(err)
	}
	server := session.Directory{URL: "https://scim.example.com/scim/v2", Token: far}
	sealed, err := session.SealDirectory(token, server, session.File{}, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	v := newVolumes(t)
	const file = "holds/0123456789abcdef.jsonl"
	v.files["old"][file] = "what is held"
	c, old := v.engine(), generationOf("old")
	spec := deploy.Spec{Session: sealed}
	if !holds(t.Context(), c, old, spec) {
		t.Error("the bridges would run beside each other")
	}
	err = (&Target{Config: Config{Name: "b"}}).replaceInPlace(t.Context(), c, old, generationOf("next"), "r", spec,
		session.Token{})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.files["next"][file]; got != "what is held" {
		t.Errorf("the new volume has %q", v.files["next"])
	}
	const want = "POST old stop, GET old holds, PUT next, POST old rename, POST next rename, POST next start"
	if got := v.took(); !strings.Contains(got, want) {
		t.Errorf("the engine was asked %s", got)
	}
}

// A new bridge that ends soon may have held something by then.
func TestWhatAFailedBridgeHeldIsCopiedBack(t *testing.T) {
	t.Parallel()
	v := newVolumes(t)
	v.ended = "next"
	const file = "holds/0123456789abcdef.jsonl"
	v.files["next"][file] = "what is held"
	err := (&Target{Config: Config{Name: "b"}}).replaceInPlace(t.Context(), v.engine(), generationOf("old"),
		generationOf("next"), "r", deploy.Spec{}, session.Token{})
	if err == nil || !strings.Contains(err.Error(), "the old bridge was started again") {
		t.Errorf("the update: %v", err)
	}
	if got := v.files["old"][file]; got != "what is held" {
		t.Errorf("the old volume has %q", v.files["old"])
	}
	const want = "POST next stop, GET next holds, PUT old, DELETE next remove, POST old rename"
	if got := v.took(); !strings.Contains(got, want) {
		t.Errorf("the engine was asked %s", got)
	}
}

// A bridge that is older than the journal has no key.
func TestWithoutAJournalNothingIsCopied(t *testing.T) {
	t.Parallel()
	v := newVolumes(t)
	v.files["old"] = map[string]string{"session": "sealed"}
	c := v.engine()
	carryKey(t.Context(), c, generationOf("old"), generationOf("next"))
	carryKept(t.Context(), c, generationOf("old"), generationOf("next"))
	if got, want := v.took(), "GET old journal/key, GET old journal, GET old log"; got != want {
		t.Errorf("the engine was asked %q, want %q", got, want)
	}
}

// The interrupted run may have replaced the container already, and have ended before it copied the journal.
func TestWhatAnInterruptedRunHasLeftIsCopiedBeforeItIsRemoved(t *testing.T) {
	t.Parallel()
	v := newVolumes(t)
	v.files["next"]["journal/key"] = someKey
	f := finding{current: generationOf("next"), others: []*generation{generationOf("old")}}
	if err := f.tidy(t.Context(), v.engine()); err != nil {
		t.Fatal(err)
	}
	const want = "POST old stop, GET old journal, PUT next, GET old log, PUT next, DELETE old remove"
	if got := v.took(); got != want {
		t.Errorf("the engine was asked\n%s\nwant\n%s", got, want)
	}
	if got := v.files["next"][past]; got != "what happened" {
		t.Errorf("the container that stays has %q", v.files["next"])
	}
}

// deadlines are how long requests may take.
type deadlines struct {
	mu    sync.Mutex
	found []time.Duration
}

// RoundTrip implements http.RoundTripper.
func (d *deadlines) RoundTrip(r *http.Request) (*http.Response, error) {
	left := time.Duration(-1)
	if at, limited := r.Context().Deadline(); limited {
		left = time.Until(at)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found = append(d.found, left)
	return nil, errors.New("an engine that is away")
}

// An engine that hangs must not keep a deployment for the journal's sake.
func TestCopyingTheJournalIsBoundedInTime(t *testing.T) {
	t.Parallel()
	d := new(deadlines)
	c, err := client.New(client.WithHTTPClient(&http.Client{Transport: d}), client.WithAPIVersion("1.44"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	carryKey(t.Context(), c, generationOf("old"), generationOf("next"))
	carryKept(t.Context(), c, generationOf("old"), generationOf("next"))
	if len(d.found) != 3 || d.found[0] > keyTime || slices.Min(d.found) < 0 || slices.Max(d.found) > keptTime {
		t.Errorf("the requests may take %s", d.found)
	}
}
