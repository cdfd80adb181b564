package page

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// Bridges shows every bridge of the account, with the one that answers marked.
func Bridges(account bridge.Overview) Section {
	return Section{
		Name: "bridges",
		Data: func(v *Visit) any {
			ctx, cancel := v.AskAccount()
			defer cancel()
			found, err := account.Instances(ctx, bridgesShown+1)
			if bridge.CodeOf(err) == bridge.NotFound {
				return nil // the account does not tell
			}
			l := bridgeList{Now: v.Now}
			if err != nil {
				l.Notice = accountAway
			}
			if l.More = len(found) > bridgesShown; l.More {
				found = found[:bridgesShown]
			}
			for _, b := range found {
				l.Bridges = append(l.Bridges, accountBridge{b, b.ID == v.Status.Instance})
			}
			return l
		},
	}
}

// bridgesShown bounds the list: bridges that were replaced stay in the account's.
const bridgesShown = 20

type bridgeList struct {
	Now     time.Time
	Notice  string
	Bridges []accountBridge
	More    bool
}

type accountBridge struct {
	bridge.Instance
	This bool // it is the one that answers
}
