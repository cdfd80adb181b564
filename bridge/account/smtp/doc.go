// Package smtp gives mails to the operator's mail server. It owns the server's address, TLS,
// signing in, the form of a message, and what the server's answers mean for other mails: github.com/wneessen/go-mail
// speaks SMTP and MIME. When a mail is tried again is for package delivery to decide.
package smtp
