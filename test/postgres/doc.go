// Package postgres runs PostgreSQL servers for tests: real ones, of the machine's package, which end with the test.
package postgres
