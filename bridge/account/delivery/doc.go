// Package delivery sends the mails of the account's outbox: it owns which mail is sent when, what is tried
// again and until when, and the metrics of that. The outbox is the account's, and the way to the mail server is
// package smtp's.
package delivery
