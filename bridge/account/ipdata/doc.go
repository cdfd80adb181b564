// Package ipdata answers where IP addresses are and what they are, from the
// MMDB files that the operator gives: country, continent, and the kinds of
// anonymous addresses that firewall rules name.
//
// It ships no data: which files to trust is the operator's choice. Databases
// in the wild differ in shape, and several shapes are taken (see record).
// What no database says stays unknown. What follows from an answer, and what
// to do without one, is the account's to decide.
package ipdata
