// Package explain says why a person or a group is in the account or is not: what the identity provider said, what the
// account has, what is awaited and what to do.
//
// [Person] and [Group] are pure: they turn [PersonFacts] and [GroupFacts] into an [Explanation]. An [Explainer] gathers
// the facts from the account and the journal, and says what it could not find out. Nothing here changes anything.
package explain
