// Package certificate owns the certificate that a server shows its clients: how it is read,
// replaced while the server runs, and judged.
//
// It listens on nothing, and no secret leaves it: errors name files, never what is in them.
package certificate
