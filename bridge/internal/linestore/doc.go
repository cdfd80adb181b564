// Package linestore keeps the latest lines of text in files, bounded in bytes and in days, over restarts.
//
// Several processes may use one folder, as the old and the new bridge do during a hand-over: each file has one
// writer at a time, which holds a lock on it, and readers merge the files by the times of the lines. A process that
// is started continues the latest file of the day that has no writer. Lines are written once a second; a process
// that is killed loses that second, and a line that it did not write to its end is passed over. Nothing is synced:
// a loss of power may cost what the system had not written yet.
//
// Writing never makes the caller wait. Lines that cannot be written, because the disk is full or the folder cannot
// be written to, are kept in memory, as many as the buffer takes, and written when that is possible again.
//
// What a line says, and what must not be in it, is decided by the callers.
package linestore
