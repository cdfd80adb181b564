package client

// Claim lets one object of a run own what can have one owner only, the whole
// list of sign-up domains for instance. owner tells the objects apart; the
// same one may claim again. It answers false when another was first.
//
// Claims end with the run: what two configurations own stays unseen.
func (c *Client) Claim(what, owner string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first, taken := c.claims[what]; taken {
		return first == owner
	}
	c.claims[what] = owner
	return true
}
