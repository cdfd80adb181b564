// Package attr owns the types of attributes that may be spelled in more than
// one way: IP ranges, domains, codes of countries and continents. They are
// refused at plan time when they are wrong, and two spellings of one thing
// plan no change.
//
// What the values mean to the account is decided elsewhere.
package attr
