package process

// SetStarts replaces what the system says of when processes started.
func (t *Target) SetStarts(starts func(pid int) (string, error)) { t.starts = starts }
