package server

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server/page"
)

// visitors are the clients whose SCIM requests had a right token lately: the identity provider's.
type visitors struct {
	all map[visitorKey]*page.Visitor
}

// A visitorKey is what tells clients apart: their own text as it came, without the cost of cleaning it, and the
// network, since an identity provider comes from many addresses.
type visitorKey struct {
	agent   string
	network httpkit.Network
	token   string
}

const (
	// maxVisitors bounds what is kept; beyond it the one that came least recently is removed.
	maxVisitors = 16
	// maxAgent is how much of a User-Agent tells clients apart, in bytes.
	maxAgent = 256
)

// add counts a request. clean returns the text that is shown of the client's own.
func (v *visitors) add(key visitorKey, address netip.Addr, now time.Time, clean func() string) {
	key.agent = key.agent[:min(len(key.agent), maxAgent)]
	if known := v.all[key]; known != nil {
		known.Last, known.Address = now, address
		known.Requests++
		return
	}
	if v.all == nil {
		v.all = make(map[visitorKey]*page.Visitor)
	}
	if len(v.all) >= maxVisitors {
		var oldest *visitorKey
		for k, known := range v.all {
			if oldest == nil || known.Last.Before(v.all[*oldest].Last) {
				oldest = &k
			}
		}
		delete(v.all, *oldest)
	}
	key.agent = strings.Clone(key.agent) // and not all of a long header
	v.all[key] = &page.Visitor{
		Agent: clean(), Address: address, Token: key.token, First: now, Last: now, Requests: 1,
	}
}

// list returns them, the one that came last first.
func (v *visitors) list() []page.Visitor {
	all := make([]page.Visitor, 0, len(v.all))
	for _, known := range v.all {
		all = append(all, *known)
	}
	slices.SortFunc(all, func(a, b page.Visitor) int {
		return cmp.Or(b.Last.Compare(a.Last), a.First.Compare(b.First), cmp.Compare(a.Agent, b.Agent))
	})
	return all
}

// Visitors returns the clients whose SCIM requests had a right token since the bridge started, the one that came last
// first.
func (a *Authenticator) Visitors() []page.Visitor {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.visitors.list()
}
