// Package scim carries the Directory port over any SCIM 2.0 server (RFC 7643,
// RFC 7644), the far side. It owns the calls to it, what they may cost it, and
// what it was found able to do.
//
// A server is trusted with what it was seen to do, not with what it says. What
// it cannot do is done here in another way that is right:
//
//	the far side                            this package
//	does not take a filter, ignores it, or  keeps an index of the names, and asks
//	was not yet seen to find something      for the resource that it finds there
//	by it
//	has no versions                         makes them of the content, and
//	                                        compares before it writes
//	has no PATCH                            reads the group and sends it back whole
//	takes so many members at a time         sends as many
//	does not count, sort or page rightly    reads the whole list
//	does not refuse a name that is taken    looks before it creates
//	loses the answer to a creation          looks before it creates again
//	answers a creation without its id, or   finds it by its name
//	with another one
//	fails with 500 at what is gone          looks whether it is
//	does not keep an attribute              notes it, see State
//
// It keeps nothing but the index, and decides nothing about people and groups.
package scim
