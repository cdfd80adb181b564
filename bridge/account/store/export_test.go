package store

// WriteLock is the key of the lock on writing, for tests.
const WriteLock = writeLock
