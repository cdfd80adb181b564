package docker

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// fakeEngine is an engine of which only some requests are answered.
func fakeEngine(t *testing.T, answers map[string]http.HandlerFunc) *client.Client {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, answer := range answers {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /v1.44"+path, answer)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := client.New(client.WithHost("tcp://"+server.Listener.Addr().String()), client.WithAPIVersion("1.44"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func notFound(w http.ResponseWriter, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

func answer(content any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(content)
	}
}

func TestOnlyTheProvidersOwnImagesAreRemoved(t *testing.T) {
	t.Parallel()
	var removed []string
	c := fakeEngine(t, map[string]http.HandlerFunc{
		"GET /images/json": answer([]map[string]any{
			{"Id": "sha256:1", "RepoTags": []string{"scim-bridge:bundled-1", "r.example.com/scim-bridge:bundled-1"}},
			{"Id": "sha256:2", "RepoTags": []string{"localhost/scim-bridge:bundled-2", "scim-bridge:mine"}},
		}),
		"DELETE /images/{name...}": func(w http.ResponseWriter, r *http.Request) {
			removed = append(removed, r.PathValue("name"))
			answer([]any{})(w, r)
		},
	})
	removeImages(t.Context(), c)
	if want := []string{"scim-bridge:bundled-1", "localhost/scim-bridge:bundled-2"}; !slices.Equal(removed, want) {
		t.Errorf("removed are %q, want %q", removed, want)
	}
}

// A name can come to mean another image, which no plan has shown.
func TestAKeptImageThatIsGoneIsNotReplacedByAnother(t *testing.T) {
	t.Parallel()
	c := fakeEngine(t, map[string]http.HandlerFunc{
		"GET /images/{name}/json": func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("name") != "bridge:1" {
				notFound(w, "No such image")
				return
			}
			answer(map[string]any{"Id": "sha256:2222222222222222"})(w, r)
		},
	})
	image := "bridge:1"
	made := &Target{Config: Config{Image: &image}, client: c}
	made.Keep("1111111111111111")
	if _, _, err := made.image(t.Context(), c); err == nil || !strings.Contains(err.Error(), "no longer has") {
		t.Errorf("the error is %v", err)
	}
	made = &Target{Config: Config{Image: &image}, client: c}
	program, err := made.Fetch(t.Context())
	if err != nil || program.Digest != "2222222222222222" || made.kept != program.Digest {
		t.Errorf("fetched %+v, %v; kept %q", program, err, made.kept)
	}
}

// Docker creates a container in a network that does not exist, and fails when it starts it.
func TestANetworkThatDoesNotExistIsToldBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	c := fakeEngine(t, map[string]http.HandlerFunc{
		"GET /networks/{name}": func(w http.ResponseWriter, r *http.Request) {
			notFound(w, "network "+r.PathValue("name")+" not found")
		},
	})
	network := "nowhere"
	made := &Target{Config: Config{Name: "b", Network: &network}, client: c}
	_, err := made.make(t.Context(), c, "b", true, deploy.Spec{}, "r", session.Token{})
	if err == nil || !strings.Contains(err.Error(), "network nowhere not found: create the network") {
		t.Errorf("the error is %v", err)
	}
}

func TestARefusedTokenIsToldWithTheReason(t *testing.T) {
	t.Parallel()
	const said = "the token opens nothing"
	c := fakeEngine(t, map[string]http.HandlerFunc{
		"POST /containers/{id}/exec": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			answer(map[string]any{"Id": "e"})(w, r)
		},
		"POST /exec/e/start": func(w http.ResponseWriter, _ *http.Request) {
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"+
				"Content-Type: application/vnd.docker.multiplexed-stream\r\n\r\n")
			_, _ = io.Copy(io.Discard, buffered) // the token
			frame := append([]byte{1, 0, 0, 0}, binary.BigEndian.AppendUint32(nil, uint32(len(said)))...)
			_, _ = conn.Write(append(frame, said...))
		},
		"GET /exec/e/json": answer(map[string]any{"ID": "e", "ExitCode": 3}),
	})
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	err = unseal(t.Context(), c, "x", token)
	if err == nil || !strings.Contains(err.Error(), "exit code 3: "+said) || strings.Contains(err.Error(), "%!") ||
		strings.Contains(err.Error(), token.Reveal()) {
		t.Errorf("the error is %v", err)
	}
}
