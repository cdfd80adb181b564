// Package docker deploys a bridge as a container of a Docker Engine, or of Podman, which
// offers the same API.
//
// A deployment is one container with one volume for the bridge's data folder. A new bridge
// gets both anew, so that the old one is untouched until the new one serves. Labels say
// which deployment containers and volumes belong to: they are found without a state, also
// after an apply that was killed. What was deployed is recorded in a file in the volume;
// session and token are files beside it, and are in nothing that the engine shows.
//
// Package engine owns how the engine is reached. Everything else goes over its API,
// commands in the container included, so that a distant engine is no different.
package docker
