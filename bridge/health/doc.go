// Package health owns the health of a bridge: the reports of its components, and their
// summary for /health, /ready, the status page, the metrics and the heartbeat.
//
// It stores nothing and decides nothing for the components. Package problem describes the
// problems and their remedies.
package health
