// Package attr owns the types of attributes that may be spelled in more than
// one way: IP ranges and domains. They are refused at plan time when they are
// wrong, and two spellings of one thing plan no change.
//
// What the values mean to the account is decided elsewhere.
package attr
