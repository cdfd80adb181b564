package store

// touched turns the count of rows that a statement touched into whether it touched any.
func touched(n int64, err error) (bool, error) { return n > 0, err }
