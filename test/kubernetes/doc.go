// Package kubernetes starts a Kubernetes of its own for tests: an API server, its controllers, a scheduler, a kubelet
// and containerd, which runs real containers of the image that `make image` made. Its program is built from the module
// in the folder cluster.
//
// It needs root, and runs in the namespaces that the script .ci/engines makes: the build tag keeps it from running
// anywhere else.
package kubernetes
