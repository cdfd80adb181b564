// Package ingress owns what the bridge's and the account's HTTP servers have
// in common at the door: from where a request comes, the id that it is given,
// and the numbers about requests. Who is let in, and what is logged, each
// decides for itself.
package ingress
