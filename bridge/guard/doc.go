// Package guard stands before a Directory that is told of suspensions and removals from groups at once, such as a SCIM
// server, and holds what goes beyond a limit, as an account does by itself: the identity provider reads it done, and
// the people keep their access until an operator approves it.
//
// A Guard is a Directory around another one. What it holds, and what its limit has counted, is in a file of the
// bridge's data folder before a change is answered. Who is there, and what is in force, the other Directory says: a
// hold on what is gone there has ended.
package guard
