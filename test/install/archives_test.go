//go:build release

package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The registry refuses an archive that holds no program of this name, and Terraform one that it cannot run.
func TestProviderArchivesHoldTheProviderAndItsBridges(t *testing.T) {
	t.Parallel()
	r := open(t)
	bridges := r.platforms(t, "scim-bridge", ".tar.gz")
	for _, platform := range r.platforms(t, project, ".zip") {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			files := unzip(t, r.path(project, platform+".zip"))
			extension := ""
			if strings.HasPrefix(platform, "windows_") {
				extension = ".exe"
			}
			want := []string{"-rw-r--r-- LICENSE", "-rwxr-xr-x " + project + "_v" + r.version + extension}
			for _, bridge := range bridges {
				if bridge == platform || strings.HasPrefix(bridge, "linux_") {
					want = append(want, "-rwxr-xr-x scim-bridge_"+bridge)
				}
			}
			slices.Sort(want)
			if got := names(files); !slices.Equal(got, want) {
				t.Fatalf("the archive holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for name, f := range files {
				if bridge, is := strings.CutPrefix(name, "scim-bridge_"); is {
					alone := untar(t, r.path("scim-bridge", bridge+".tar.gz"))["scim-bridge"]
					if f.digest() != alone.digest() {
						t.Errorf("%s is not the program of its own archive", name)
					}
				}
			}
		})
	}
}

func TestBridgeArchivesHoldTheProgramAndWhatToRead(t *testing.T) {
	t.Parallel()
	r := open(t)
	for _, platform := range r.platforms(t, "scim-bridge", ".tar.gz") {
		got := names(untar(t, r.path("scim-bridge", platform+".tar.gz")))
		want := []string{"-rw-r--r-- LICENSE", "-rw-r--r-- README.md", "-rwxr-xr-x scim-bridge"}
		if !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", platform, got, want)
		}
	}
}

// The registry takes no archive that the signed list does not name, and nobody can check a file that it does not.
func TestTheChecksumsAreThoseOfEveryArtifact(t *testing.T) {
	t.Parallel()
	r := open(t)
	text, err := os.ReadFile(r.path(project, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	manifest := project + "_" + r.version + "_manifest.json"
	var listed []string
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed = append(listed, name)
		path := filepath.Join(r.folder, name)
		if name == manifest {
			path = filepath.Join(root, "terraform-registry-manifest.json")
		}
		content, err := os.ReadFile(path)
		if err != nil || (file{content: content}).digest() != sum {
			t.Errorf("%s is not what its checksum is of: %v", name, err)
		}
	}
	if !slices.Contains(listed, manifest) {
		t.Errorf("the checksums lack %s", manifest)
	}
	for _, extension := range []string{".zip", ".tar.gz", ".cdx.json", ".deb", ".rpm", ".tar", "_digest.txt"} {
		for _, path := range matches(t, filepath.Join(r.folder, "*"+extension)) {
			if !slices.Contains(listed, filepath.Base(path)) {
				t.Errorf("the checksums lack %s", filepath.Base(path))
			}
		}
	}
}

// Without its protocol's version the registry takes a provider for one of protocol 5.
func TestTheManifestTellsTheProtocol(t *testing.T) {
	t.Parallel()
	var manifest struct {
		Version  int `json:"version"`
		Metadata struct {
			ProtocolVersions []string `json:"protocol_versions"`
		} `json:"metadata"`
	}
	decode(t, filepath.Join(root, "terraform-registry-manifest.json"), &manifest)
	if manifest.Version != 1 || !slices.Equal(manifest.Metadata.ProtocolVersions, []string{"6.0"}) {
		t.Errorf("the manifest says %+v", manifest)
	}
}

func TestEveryProgramHasItsListOfComponents(t *testing.T) {
	t.Parallel()
	r := open(t)
	for _, program := range []struct{ name, archive, component string }{
		{project, ".zip", "github.com/hashicorp/terraform-plugin-framework"},
		{"scim-bridge", ".tar.gz", "github.com/ncruces/go-sqlite3"},
	} {
		for _, platform := range r.platforms(t, program.name, program.archive) {
			var list struct {
				BOMFormat    string `json:"bomFormat"`
				SerialNumber string `json:"serialNumber"`
				Metadata     struct {
					Timestamp string    `json:"timestamp"`
					Component component `json:"component"`
				} `json:"metadata"`
				Components []component `json:"components"`
			}
			path := r.path(program.name, platform+".cdx.json")
			decode(t, path, &list)
			name := filepath.Base(path)
			if list.BOMFormat != "CycloneDX" || list.Metadata.Component.Version != "v"+r.version {
				t.Errorf("%s is a %q of version %q", name, list.BOMFormat, list.Metadata.Component.Version)
			}
			if list.SerialNumber != "" || list.Metadata.Timestamp != "" {
				t.Errorf("%s differs from one made at another time", name)
			}
			for _, want := range []string{program.component, "std"} {
				if !slices.ContainsFunc(list.Components, func(c component) bool {
					return c.Name == want && c.Version != ""
				}) {
					t.Errorf("%s lacks %s", name, want)
				}
			}
		}
	}
}

type component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
