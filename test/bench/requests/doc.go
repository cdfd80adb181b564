// Command requests measures the bridge and the account as they ship: real
// processes on loopback, logs and metrics on, driven by keep-alive connections
// that say what identity providers say. It prints one table.
//
//	make bench
//	go run ./test/bench/requests --people 10000,100000
//	go run ./test/bench/requests --people 1000000 --fill --modes postgres
//	go run ./test/bench/requests --against OLDER-SCIM-BRIDGE
//	go run ./test/bench/requests --beside 'other=other-server --memory'
//
// # How to read the table
//
// A row is one phase at one number of connections. All servers that the table
// has, with few people and with many, the ceiling and an older program among
// them, run beside each other and are driven in turn, in five rounds. A row
// shows the medians of the rounds, and as ratios the medians of the rounds'
// ratios: a figure by itself may be twice another one that was taken minutes
// later on the same machine.
//
//   - dev is `scim-bridge dev`, bridge and account in one process; two is
//     `scim-bridge serve` beside `scim-bridge account serve`; postgres is
//     two over a PostgreSQL server with its own defaults, whose CPU is not in
//     the table. (It is measured with --modes dev,two,postgres.)
//   - cpu/op is what the servers spent on one operation, the kernel's part
//     included, from the clocks of their processes. The client is not in it.
//     It is the figure to compare: ops/s, p50 and p99 also measure the client
//     and whatever else the machine did.
//   - ×ceil divides cpu/op by that of the ceiling: a net/http server that reads
//     the same request and answers constant bytes of the same size. No Go
//     server can be below 1; it says what SCIM, sign-in, logs and the database
//     cost on top.
//   - ×old divides cpu/op by that of the program of --against in the same mode.
//     That program's own rows are marked old. Its people come by its own
//     servers, which takes longer.
//   - ×NAME divides cpu/op by that of the server of --beside NAME=COMMAND. The
//     command listens on $SCIM_ADDRESS, host and port, serves SCIM below
//     /scim/v2, and takes the bearer token $SCIM_TOKEN. What it cannot answer
//     has no row of its own. Its people come by requests, too.
//   - ×small divides cpu/op by that of the same server with the fewest people:
//     what growth costs.
//   - allocs is the number of heap allocations of one operation: in dev of
//     bridge and account together, in two of the bridge alone.
//   - trips is how often the account has sent to PostgreSQL for one operation.
//   - bytes is the size of the answer's body.
//
// With --fill only the first thousand people come by the account's rules, and all others by SQL, in PostgreSQL: rows
// like theirs, all in the group of all. They have no events in the audit log, mails and answers to requests, as if
// those had become too old. The rest of the account is the same, and account check finds nothing.
//
// A bulk request counts as its thousand operations. Resident memory is told
// after the table, before and after the load; the bridge's should not depend
// on the number of people.
//
// With SCIMBRIDGE_WITHOUT_JOURNAL=true in the environment, the bridges keep no
// journal and their log in memory only: run by turns with and without, the rows
// tell what both cost.
//
// With --profile DIR every phase also leaves a CPU profile of each process
// there. The binary is then built with one file more than is in the
// repository (profile.go.txt): what ships has no profiling.
package main
