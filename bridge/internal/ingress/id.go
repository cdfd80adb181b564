package ingress

import (
	"context"
	"crypto/rand"
)

type idKey struct{}

// WithID gives a request its id, under which the log knows it and which the
// client is told.
func WithID(ctx context.Context) (identified context.Context, id string) {
	id = rand.Text()
	return context.WithValue(ctx, idKey{}, id), id
}

// ID is the id of the request that ctx belongs to; a new one if it has none.
func ID(ctx context.Context) string {
	if id, ok := ctx.Value(idKey{}).(string); ok {
		return id
	}
	return rand.Text()
}
