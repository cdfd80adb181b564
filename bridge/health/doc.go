// Package health owns how a bridge says that it is: the report of one
// component, and what /health, /ready, the status page, the metrics and the
// heartbeat make of all of them.
//
// It keeps nothing and decides nothing for the components. What a problem
// means and what heals it stands in package problem.
package health
