package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/pkg/authconfig"
)

// installHelper installs a credential helper that knows one server.
func installHelper(t *testing.T, name, script string) {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "docker-credential-"+name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
}

const helperScript = `read server
case "$1 $server" in
"get ghcr.io") echo '{"ServerURL":"ghcr.io","Username":"helped","Secret":"helper-secret"}' ;;
"get https://index.docker.io/v1/") echo '{"Username":"<token>","Secret":"helper-token"}' ;;
"get broken.example.com") echo "stored-secret"; exit 1 ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac
`

func TestTheCredentialsOfAnImagesRegistryAreFound(t *testing.T) {
	const stored = `"auths":{"ghcr.io":{"auth":"c3RvcmVkOnBhc3M6d29yZA=="},
		"https://index.docker.io/v1/":{"auth":"aHViOmh1YnBhc3M="},
		"https://old.example.com/v1/":{"username":"old","password":"oldpass"},
		"port.example.com:5000":{"auth":"cG9ydDpwYXNz"},
		"identity.example.com":{"auth":"aWRlbnRpdHk6","identitytoken":"refresh"}}`
	for _, row := range []struct {
		name, config, image string
		registries          map[string]Registry
		want                string // username:password:identitytoken, empty if none
	}{
		{name: "nothing is stored", config: `{}`, image: "ghcr.io/a/b:1"},
		{name: "by the name", config: `{` + stored + `}`, image: "ghcr.io/a/b@sha256:" + strings.Repeat("0", 64),
			want: "stored:pass:word:"},
		{name: "an image without a registry is Docker Hub's", config: `{` + stored + `}`, image: "scim-bridge",
			want: "hub:hubpass:"},
		{name: "a registry with a port", config: `{` + stored + `}`, image: "port.example.com:5000/b",
			want: "port:pass:"},
		{name: "the same host without the port", config: `{` + stored + `}`, image: "port.example.com/b"},
		{name: "a key with scheme and path", config: `{` + stored + `}`, image: "old.example.com/b",
			want: "old:oldpass:"},
		{name: "an identity token", config: `{` + stored + `}`, image: "identity.example.com/b",
			want: "identity::refresh"},
		{name: "a helper for all", config: `{"credsStore":"test"}`, image: "ghcr.io/a/b",
			want: "helped:helper-secret:"},
		{name: "a helper's token", config: `{"credsStore":"test"}`, image: "docker.io/a/b", want: "::helper-token"},
		{name: "a helper for one comes before that for all",
			config: `{"credsStore":"missing","credHelpers":{"ghcr.io":"test"}}`,
			image:  "ghcr.io/a/b", want: "helped:helper-secret:"},
		{name: "a helper that has nothing", config: `{"credsStore":"test"}`, image: "other.example.com/b"},
		{name: "a configured one comes before all", config: `{"credsStore":"test",` + stored + `}`,
			image:      "ghcr.io/a/b",
			registries: map[string]Registry{"ghcr.io": {Username: "own", Password: "ownpass"}}, want: "own:ownpass:"},
		{name: "a configured one for Docker Hub's address", config: `{}`, image: "a/b",
			registries: map[string]Registry{"https://index.docker.io/v1/": {Username: "own", Password: "p"}},
			want:       "own:p:"},
		{name: "a configured one of another registry", config: `{}`, image: "ghcr.io/a/b",
			registries: map[string]Registry{"quay.io": {Username: "own", Password: "ownpass"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			folder := clearEnvironment(t)
			installHelper(t, "test", helperScript)
			write(t, filepath.Join(folder, "config.json"), row.config)
			header, err := (Config{Registries: row.registries}).RegistryAuth(t.Context(), row.image)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if header != "" {
				auth, err := authconfig.Decode(header)
				if err != nil {
					t.Fatal(err)
				}
				got = auth.Username + ":" + auth.Password + ":" + auth.IdentityToken
			}
			if got != row.want {
				t.Errorf("the credentials are %q, want %q", got, row.want)
			}
		})
	}
}

func TestMistakesWithCredentialsAreNamedWithoutThem(t *testing.T) {
	for _, row := range []struct{ name, config, image, want string }{
		{"a helper that is not installed", `{"credsStore":"missing"}`, "ghcr.io/a/b", "docker-credential-missing, " +
			"which"},
		{"a helper that fails", `{"credsStore":"test"}`, "broken.example.com/b",
			"run: echo broken.example.com | docker-credential-test get"},
		{"a helper that is a path", `{"credsStore":"../test"}`, "ghcr.io/a/b", "must be a name"},
		{"auth that is not base64", `{"auths":{"ghcr.io":{"auth":"stored-secret!"}}}`, "ghcr.io/a/b",
			"docker login ghcr.io"},
		{"auth without a password", `{"auths":{"ghcr.io":{"auth":"c3RvcmVk"}}}`, "ghcr.io/a/b", "docker login ghcr.io"},
		{"not an image", `{}`, "an image", "not a reference to an image"},
	} {
		t.Run(row.name, func(t *testing.T) {
			folder := clearEnvironment(t)
			installHelper(t, "test", helperScript)
			write(t, filepath.Join(folder, "config.json"), row.config)
			_, err := (Config{}).RegistryAuth(t.Context(), row.image)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("the error is %v, want %q", err, row.want)
			}
			if strings.Contains(err.Error(), "stored") && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the credential: %v", err)
			}
		})
	}
}

func TestCredentialsThatAreNotKnownYetAreOnlyMissedByTheirRegistry(t *testing.T) {
	clearEnvironment(t)
	config := Config{Registries: map[string]Registry{"ghcr.io": {Unknown: true}}}
	if _, err := config.RegistryAuth(t.Context(), "ghcr.io/a/b"); err == nil ||
		!strings.Contains(err.Error(), `docker.registries["ghcr.io"]`) {
		t.Errorf("its own registry gives %v", err)
	}
	if _, err := config.RegistryAuth(t.Context(), "quay.io/a/b"); err != nil {
		t.Errorf("another registry gives %v", err)
	}
}
