// Package client is the one way to the account API, for the connector and the
// provider: the transport, the reading of answers, and the loop that makes a
// call again. What an operation means is said in openapi.yaml, what is worth a
// repetition and for how long by the caller.
package client
