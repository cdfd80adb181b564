// Package simulate plays identity providers against a SCIM server and judges
// the answers.
//
// It owns two kinds of traffic. Recorded exchanges (exchanges.json) are what
// real providers were seen to send, step by step, with what they accept as an
// answer; Exchanges returns them, and a Player plays them. Generated traffic
// is a whole tenant (people who join, change and leave, and their groups)
// spoken in the dialect of one provider: how it matches, updates and
// deprovisions.
//
// It knows SCIM only as a client does, over HTTP, and shares no code with the
// server in package scim: a misunderstanding of the protocol must not cancel
// out. How the bridge is found and where its token comes from is left to the
// caller.
package simulate
