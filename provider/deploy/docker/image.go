package docker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A localImage is an image that the engine has.
type localImage struct {
	name         string // as it is shown to people
	id           string
	architecture string
	user         string
	entrypoint   []string
	healthcheck  bool
	labels       map[string]string
}

// digest returns the image's id in hex.
func (i localImage) digest() string { return strings.TrimPrefix(i.id, "sha256:") }

func inspectImage(ctx context.Context, c *client.Client, name string) (i localImage, err error) {
	found, err := c.ImageInspect(ctx, name)
	if err != nil {
		return i, err
	}
	i = localImage{name: name, id: found.ID, architecture: found.Architecture}
	if config := found.Config; config != nil {
		i.user, i.entrypoint, i.labels = config.User, config.Entrypoint, config.Labels
		i.healthcheck = config.Healthcheck != nil
	}
	return i, nil
}

// Source returns the configured image; empty for the provider's own program.
func (t *Target) Source() string { return text(t.Image) }

// Build returns the input of the revision: the program, and how its container is made.
func (t *Target) Build(digest string) string {
	var memory int64
	if t.Memory != nil {
		memory = *t.Memory
	}
	return fmt.Sprintf("%s %q %q %d %q", digest, t.Ports, text(t.Network), memory, t.Environment)
}

// Keep makes Update deploy an earlier program again.
func (t *Target) Keep(digest string) { t.kept = digest }

// Program returns the program to deploy: the image that the engine has by the configured
// name, or the program that comes with the provider for the engine's platform. It is not
// determined while the engine has no such image.
func (t *Target) Program(ctx context.Context) (deploy.Program, error) {
	c, err := t.connect(ctx)
	if err != nil {
		return deploy.Program{}, err
	}
	if t.Image == nil {
		_, program, err := t.bundled(ctx, c)
		return program, err
	}
	image, err := inspectImage(ctx, c, *t.Image)
	if isNotFound(err) {
		return t.deployedProgram(ctx, c)
	}
	if err != nil {
		return deploy.Program{}, fmt.Errorf("looking for the image %s: %w", *t.Image, explain(err))
	}
	return t.programIn(image), nil
}

// Fetch returns the program as Program does, and pulls the image if the engine lacks it. An
// image is then kept: the revision names it, and its name may come to mean another one.
func (t *Target) Fetch(ctx context.Context) (deploy.Program, error) {
	program, err := t.Program(ctx)
	if errors.Is(err, deploy.ErrUndetermined) && t.client != nil {
		image, err := t.pull(ctx, t.client)
		if err != nil {
			return deploy.Program{}, &deploy.ArgumentError{Argument: "image", Title: "Cannot get the image", Err: err}
		}
		program = t.programIn(image)
	} else if err != nil {
		return deploy.Program{}, err
	}
	if t.Image != nil {
		t.Keep(program.Digest)
	}
	return program, nil
}

func (t *Target) programIn(image localImage) deploy.Program {
	return deploy.Program{Configured: *t.Image, Digest: image.digest(),
		Version: image.labels["org.opencontainers.image.version"]}
}

// deployedProgram returns the program that runs, if it is of the configured image: the
// image's name can be missing at the engine while a container still uses the image.
func (t *Target) deployedProgram(ctx context.Context, c *client.Client) (deploy.Program, error) {
	f, err := find(ctx, c, t.Name)
	if err != nil {
		return deploy.Program{}, err
	}
	if f.current != nil {
		r, err := readRecord(ctx, c, f.current)
		if err == nil && r.Image == *t.Image && r.ImageID == f.current.imageID() {
			return deploy.Program{Configured: r.Image, Digest: r.Program,
				Version: f.current.label("org.opencontainers.image.version")}, nil
		}
	}
	return deploy.Program{}, fmt.Errorf("the engine has no image %s yet, and pulls it in the apply: %w", *t.Image,
		deploy.ErrUndetermined)
}

// image returns the image to make a container of, and the program in it.
func (t *Target) image(ctx context.Context, c *client.Client) (localImage, deploy.Program, error) {
	if t.Image == nil {
		return t.builtImage(ctx, c)
	}
	name := *t.Image
	image, err := inspectImage(ctx, c, name)
	if t.kept != "" && (isNotFound(err) || err == nil && image.digest() != t.kept) {
		image, err = inspectImage(ctx, c, "sha256:"+t.kept)
	}
	switch {
	case isNotFound(err) && t.kept != "":
		return localImage{}, deploy.Program{}, fmt.Errorf("the engine no longer has the image %s with the id %.12s, "+
			"which was to be deployed: run terraform apply again", name, t.kept)
	case isNotFound(err):
		if image, err = t.pull(ctx, c); err != nil {
			return localImage{}, deploy.Program{}, err
		}
	case err != nil:
		return localImage{}, deploy.Program{}, fmt.Errorf("looking for the image %s: %w", name, explain(err))
	}
	if err := t.checkPlatform(ctx, c, image); err != nil {
		return localImage{}, deploy.Program{}, err
	}
	return image, t.programIn(image), nil
}

// checkPlatform refuses an image whose program the engine's machine cannot run.
func (t *Target) checkPlatform(ctx context.Context, c *client.Client, image localImage) error {
	arch, err := engineArchitecture(ctx, c)
	if err != nil || image.architecture == "" || image.architecture == arch {
		return err
	}
	return fmt.Errorf("the image %s is for linux/%s, and the engine runs on linux/%s: use an image for that "+
		"platform, or leave image out, which deploys the program that comes with the provider", image.name,
		image.architecture, arch)
}

func engineArchitecture(ctx context.Context, c *client.Client) (string, error) {
	version, err := c.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return "", fmt.Errorf("asking the engine for its platform: %w", explain(err))
	}
	return version.Arch, nil
}

// pull pulls the configured image.
func (t *Target) pull(ctx context.Context, c *client.Client) (localImage, error) {
	name := *t.Image
	deploy.Log(ctx, "pulling the image "+name)
	failed := func(err error) error { return fmt.Errorf("the image %s cannot be pulled: %w", name, explainPull(err)) }
	auth, err := t.access.RegistryAuth(ctx, name)
	if err != nil {
		return localImage{}, err
	}
	progress, err := c.ImagePull(ctx, name, client.ImagePullOptions{RegistryAuth: auth})
	if err != nil {
		return localImage{}, failed(err)
	}
	last := time.Now()
	for message, err := range progress.JSONMessages(ctx) {
		if err == nil && message.Error != nil {
			err = message.Error
		}
		if err != nil {
			return localImage{}, failed(err)
		}
		if time.Since(last) > 2*time.Second || message.ID == "" {
			last = time.Now()
			deploy.Log(ctx, strings.TrimSpace("pulling "+name+": "+message.ID+" "+message.Status))
		}
	}
	image, err := inspectImage(ctx, c, name)
	if err != nil {
		return localImage{}, failed(err)
	}
	return image, nil
}

// bundled returns the program for the engine's platform that comes with the provider.
func (t *Target) bundled(ctx context.Context, c *client.Client) (path string, program deploy.Program, err error) {
	arch, err := engineArchitecture(ctx, c)
	if err != nil {
		return "", program, err
	}
	var faults []string
	for _, path := range deploy.BundledPrograms("linux", arch) {
		err := runsAlone(path, arch)
		if err == nil {
			sum, err := deploy.Digest(path)
			if err != nil {
				return "", program, err
			}
			return path, deploy.Program{Digest: sum, Version: versionOf(ctx, path, arch)}, nil
		}
		faults = append(faults, err.Error())
	}
	return "", program, &deploy.ArgumentError{Argument: "image", Title: "Cannot find the program", Err: fmt.Errorf(
		"the program scim-bridge for linux/%s was not found: %s; it is part of the provider's archive, or set "+
			"image or %s",
		arch, strings.Join(faults, "; "), deploy.BinaryVariable)}
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// runsAlone refuses a program that could not run in a container that has nothing else.
func runsAlone(path, arch string) error {
	f, err := elf.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist", path)
	}
	if err != nil {
		return fmt.Errorf("%s is not a Linux program: %w", path, err)
	}
	defer f.Close()
	if machine, known := machines[arch]; !known || f.Machine != machine {
		return fmt.Errorf("%s is for %s", path, f.Machine)
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("%s is not static: build it with CGO_ENABLED=0", path)
	}
	return nil
}

// versionOf returns the version that a program reports, or the provider's, with which it
// comes, if this machine cannot run it.
func versionOf(ctx context.Context, program, arch string) string {
	if runtime.GOOS != "linux" || runtime.GOARCH != arch {
		return build.Read().Version
	}
	return deploy.VersionOf(ctx, program)
}

const builtPrefix = "scim-bridge:bundled-"

// builtName returns the name of the image with a program.
func builtName(digest string) string { return builtPrefix + digest[:12] }

// isBuilt reports whether a name is of builtName. Podman shows it as localhost's. A copy in
// a registry is not the provider's.
func isBuilt(tag string) bool {
	return strings.HasPrefix(strings.TrimPrefix(tag, "localhost/"), builtPrefix)
}

// builtImage returns the image with the provider's own program, and gives it to the engine
// if that lacks it: no registry is needed.
func (t *Target) builtImage(ctx context.Context, c *client.Client) (localImage, deploy.Program, error) {
	path, program, err := t.bundled(ctx, c)
	if err != nil {
		return localImage{}, program, err
	}
	name := builtName(cmp.Or(t.kept, program.Digest))
	image, err := inspectImage(ctx, c, name)
	if err == nil && image.labels[labelProgram] != "" {
		program.Digest = image.labels[labelProgram]
		return image, program, nil
	}
	if t.kept != "" && t.kept != program.Digest {
		return image, program, fmt.Errorf("the image %s of the deployed program is gone: deploy another version",
			name)
	}
	if err != nil && !isNotFound(err) {
		return image, program, fmt.Errorf("looking for the image %s: %w", name, explain(err))
	}
	arch, err := engineArchitecture(ctx, c)
	if err != nil {
		return image, program, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return image, program, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != program.Digest {
		return image, program, fmt.Errorf("%s changed while it was being deployed: run terraform apply again", path)
	}
	deploy.Log(ctx, "building the image "+name+" from "+path)
	if err := load(ctx, c, bundle{name: name, arch: arch, version: program.Version, digest: program.Digest,
		content: content}); err != nil {
		return image, program, fmt.Errorf("building the image %s: %w", name, explain(err))
	}
	image, err = inspectImage(ctx, c, name)
	return image, program, err
}

// removeImages removes built images that no container uses.
func removeImages(ctx context.Context, c *client.Client) {
	list, err := c.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("label", labelProgram)})
	if err != nil {
		return
	}
	for _, image := range list.Items {
		for _, tag := range image.RepoTags {
			if isBuilt(tag) {
				// without force: the engine refuses to remove what a container uses
				_, _ = c.ImageRemove(ctx, tag, client.ImageRemoveOptions{PruneChildren: true})
			}
		}
	}
}
