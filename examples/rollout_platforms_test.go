//go:build engines

package examples

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// An ecsContainer is one of container_definitions.
type ecsContainer struct {
	Name, Image         string
	Essential           bool
	EntryPoint, Command []string
	Environment         []struct{ Name, Value string }
	Secrets             []struct{ Name, ValueFrom string }
	MountPoints         []struct {
		SourceVolume, ContainerPath string
		ReadOnly                    bool
	}
	DependsOn              []ecsDependency
	ReadonlyRootFilesystem bool
	StopTimeout            int
	PortMappings           []struct {
		ContainerPort, HostPort int
		Protocol                string
	}
	HealthCheck struct{ Command []string }
}

type ecsDependency struct{ ContainerName, Condition string }

// ecs returns the tasks of a service on Fargate. Their volumes are root's when the containers start.
func (h *containerHost) ecs() (tasks []replica) {
	var service struct {
		Desired  int `json:"desired_count"`
		Balancer []struct {
			Container string `json:"container_name"`
			Port      int    `json:"container_port"`
		} `json:"load_balancer"`
	}
	var task struct {
		Volumes     []struct{ Name string } `json:"volume"`
		Definitions string                  `json:"container_definitions"`
	}
	h.read("aws_ecs_service", &service)
	h.read("aws_ecs_task_definition", &task)
	var definitions []ecsContainer
	h.readAll([]byte(task.Definitions), &definitions)
	for range service.Desired {
		volumes := make(map[string]string)
		for _, v := range task.Volumes {
			volumes[v.Name] = h.volume(0, 0o755)
		}
		balanced := service.Balancer[0]
		t := replica{port: balanced.Port, probes: []string{fmt.Sprintf(":%d/ready", balanced.Port)}} // see variables.tf
		var before []ecsDependency
		for _, d := range definitions {
			if !d.Essential {
				t.first = append(t.first, h.ecsContainer(d, volumes))
				before = append(before, ecsDependency{d.Name, "SUCCESS"})
				continue
			}
			t.bridge, t.health, t.stop = h.ecsContainer(d, volumes), d.HealthCheck.Command, d.StopTimeout
			if !slices.Equal(d.DependsOn, before) || d.Name != balanced.Container || len(d.PortMappings) != 1 ||
				d.PortMappings[0].ContainerPort != balanced.Port || len(t.health) == 0 || t.health[0] != "CMD" {
				h.t.Fatalf("the definition is not that of a bridge that waits for %v and listens: %+v", before, d)
			}
			t.health = t.health[1:]
		}
		tasks = append(tasks, t)
	}
	return tasks
}

func (h *containerHost) ecsContainer(d ecsContainer, volumes map[string]string) container {
	h.t.Helper()
	c := container{image: d.Image, entrypoint: d.EntryPoint, command: d.Command}
	for _, e := range d.Environment {
		c.env(e.Name, e.Value)
	}
	for _, s := range d.Secrets {
		if s.ValueFrom != rollouts[h.example]["token_secret_arn"] {
			h.t.Errorf("the store has no %s", s.ValueFrom)
		}
		c.env(s.Name, h.secret())
	}
	for _, m := range d.MountPoints {
		c.mount(h, volumes, m.SourceVolume, m.ContainerPath, map[bool]string{true: ":ro"}[m.ReadOnly])
	}
	if d.ReadonlyRootFilesystem {
		c.options = append(c.options, "--read-only")
	}
	return c
}

// A cloudRunTemplate is that of a service's revisions.
type cloudRunTemplate struct {
	ServiceAccount string              `json:"service_account"`
	Access         any                 `json:"vpc_access"`
	Environment    string              `json:"execution_environment"`
	Scaling        []map[string]int    `json:"scaling"`
	Containers     []cloudRunContainer `json:"containers"`
	Volumes        []struct {
		Name   string
		Secret []struct {
			Secret string
			Items  []struct {
				Path, Version string
				Mode          fs.FileMode
			}
		}
	} `json:"volumes"`
}

type cloudRunContainer struct {
	Image     string
	Args      []string
	Env       []struct{ Name, Value string }
	Ports     []map[string]int
	Resources any
	Startup   []cloudRunProbe `json:"startup_probe"`
	Liveness  []cloudRunProbe `json:"liveness_probe"`
	Mounts    []struct {
		Name string
		Path string `json:"mount_path"`
	} `json:"volume_mounts"`
}

type cloudRunProbe struct {
	Get []struct{ Path string } `json:"http_get"`
}

// cloudRun returns the instances of a service. The first generation gives a secret's file to the user of the container,
// if there is one container. From SIGTERM to the end there are ten seconds.
func (h *containerHost) cloudRun() (instances []replica) {
	var service struct{ Template []json.RawMessage }
	h.read("google_cloud_run_v2_service", &service)
	var template cloudRunTemplate
	h.readAll(service.Template[0], &template)
	if template.Environment != "EXECUTION_ENVIRONMENT_GEN1" || len(template.Containers) != 1 {
		h.t.Fatalf("the secret's file would be root's, with %d containers in %s", len(template.Containers),
			template.Environment)
	}
	for range template.Scaling[0]["min_instance_count"] {
		volumes := make(map[string]string)
		for _, v := range template.Volumes {
			volumes[v.Name] = h.volume(h.user, 0o755)
			for _, item := range v.Secret[0].Items {
				file := filepath.Join(volumes[v.Name], item.Path)
				if err := os.WriteFile(file, []byte(h.secret()), 0o600); err != nil {
					h.t.Fatal(err)
				}
				h.give(file, h.user, item.Mode)
			}
		}
		from := template.Containers[0]
		port := cmp.Or(from.Ports[0]["container_port"], 8080)
		c := container{image: from.Image, command: from.Args}
		c.env("PORT", strconv.Itoa(port))
		for _, e := range from.Env {
			c.env(e.Name, e.Value)
		}
		for _, m := range from.Mounts {
			c.mount(h, volumes, m.Name, m.Path, ":ro")
		}
		instances = append(instances, replica{bridge: c, port: port, stop: 10, probes: []string{
			fmt.Sprintf(":%d%s", port, from.Startup[0].Get[0].Path),
			fmt.Sprintf(":%d%s", port, from.Liveness[0].Get[0].Path),
		}})
	}
	return instances
}

// A containerAppTemplate is that of a revision.
type containerAppTemplate struct {
	Min     int `json:"min_replicas"`
	Max     int `json:"max_replicas"`
	Grace   int `json:"termination_grace_period_seconds"`
	Volumes []struct {
		Name    string
		Storage string `json:"storage_type"`
	} `json:"volume"`
	Init       []appContainer `json:"init_container"`
	Containers []appContainer `json:"container"`
}

type appContainer struct {
	Name, Image   string
	CPU           float64
	Memory        string
	Command, Args []string
	Env           []struct {
		Name, Value string
		Secret      string `json:"secret_name"`
	}
	Mounts    []struct{ Name, Path string } `json:"volume_mounts"`
	Liveness  []appProbe                    `json:"liveness_probe"`
	Readiness []appProbe                    `json:"readiness_probe"`
}

type appProbe struct {
	Transport, Path string
	Port            int
}

// containerApp returns the replicas of an app. An EmptyDir is root's, and everybody can write there, as in Kubernetes.
func (h *containerHost) containerApp() (replicas []replica) {
	var app struct {
		Template []json.RawMessage
		Ingress  []struct {
			Port int `json:"target_port"`
		}
		Secret []struct{ Name string }
	}
	h.read("azurerm_container_app", &app)
	var template containerAppTemplate
	h.readAll(app.Template[0], &template)
	secrets := make(map[string]string)
	for _, s := range app.Secret {
		secrets[s.Name] = h.secret()
	}
	for range template.Min {
		volumes := make(map[string]string)
		for _, v := range template.Volumes {
			if v.Storage != "EmptyDir" {
				h.t.Fatalf("the volume %s is of type %q", v.Name, v.Storage)
			}
			volumes[v.Name] = h.volume(0, 0o777)
		}
		r := replica{port: app.Ingress[0].Port, stop: template.Grace}
		for _, c := range template.Init {
			r.first = append(r.first, h.appContainer(c, volumes, secrets))
		}
		for _, c := range template.Containers { // one
			r.bridge = h.appContainer(c, volumes, secrets)
			for _, p := range slices.Concat(c.Liveness, c.Readiness) {
				if p.Transport != "HTTP" {
					h.t.Errorf("the probe is by %s", p.Transport)
				}
				r.probes = append(r.probes, fmt.Sprintf(":%d%s", p.Port, p.Path))
			}
		}
		replicas = append(replicas, r)
	}
	return replicas
}

func (h *containerHost) appContainer(from appContainer, volumes, secrets map[string]string) container {
	h.t.Helper()
	c := container{image: from.Image, entrypoint: from.Command, command: from.Args}
	for _, e := range from.Env {
		if e.Secret != "" && secrets[e.Secret] == "" {
			h.t.Errorf("the app has no secret %s", e.Secret)
		}
		c.env(e.Name, cmp.Or(secrets[e.Secret], e.Value))
	}
	for _, m := range from.Mounts {
		c.mount(h, volumes, m.Name, m.Path, "")
	}
	return c
}
