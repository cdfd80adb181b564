// Package store owns the account's database: connections, transactions,
// migrations, and the rows that they keep.
//
// It deals in rows and knows no rules. What is allowed, and what follows from
// it, is decided in packages account and directory, inside the functions that
// they pass to [Store.Write] and [Store.Read].
//
// Statements are written so that SQLite and PostgreSQL both understand them
// wherever they can be: `?` for parameters, times as integer microseconds,
// documents as JSON text, sets of ids as one JSON array.
package store
