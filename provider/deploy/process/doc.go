// Package process deploys a bridge as a detached process on the machine that
// runs Terraform.
//
// It owns the data folder's record (bridge.json), the copies of the program
// below bin/, and the life of the process: finding it again, replacing it
// without losing a request, stopping it. The other files in the folder (instance,
// observed_revision, control.sock) belong to the bridge; package bridge/control
// describes the socket.
//
// A process is identified by pid and start time, since pids are reused, or by its answer
// at the control socket of the folder. A folder belongs to one machine: on any other,
// reading its record returns an *ElsewhereError.
package process
