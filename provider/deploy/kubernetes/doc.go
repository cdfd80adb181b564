// Package kubernetes deploys bridges to a Kubernetes cluster.
//
// It owns the objects of a deployment, which it makes by server-side apply under a field manager of
// its own: a Deployment, a Service, Secrets for the session and a stored token, a ServiceAccount
// without a token, a PodDisruptionBudget and a NetworkPolicy. It finds them by their labels, and
// what was deployed in an annotation. Bridges are asked for their state, and unsealed, by running
// scim-bridge in their containers.
//
// It makes no namespace and deletes none. The way to the API is in package cluster.
package kubernetes
