package client

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// Bridges lists every bridge that the account knows, newest contact first.
func (c *Client) Bridges(ctx context.Context) (all []api.Bridge, err error) {
	limit := largestPage
	for params := (&api.ListBridgesParams{Limit: &limit}); ; {
		page, err := Call[api.BridgePage](c.API.ListBridges(ctx, params))
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.NextCursor == nil || *page.NextCursor == "" {
			return all, nil
		}
		params.Cursor = page.NextCursor
	}
}
