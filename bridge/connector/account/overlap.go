package account

import "time"

// OverlapEnd is when the previous pair's token ends, and reports whether it
// still works until then.
func (k *Keyring) OverlapEnd() (until time.Time, runs bool) {
	state := k.connector.State()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.file.Entries) < 2 || refusedAsOutdated(state) {
		return until, false
	}
	newest := k.file.Entries[0].Header
	until = newest.PreviousExpires
	if state.Generations != nil { // what the account says goes before what was sealed
		until = time.Time{}
		for _, g := range state.Generations {
			if g.Epoch == newest.PreviousEpoch && g.ExpiresAt != nil {
				until = *g.ExpiresAt
			}
		}
	}
	return until, k.now().Before(until) // not if nothing is known of it
}
