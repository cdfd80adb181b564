package deploy

import "context"

type logKey struct{}

// WithLog returns a context with which Log writes to log.
func WithLog(ctx context.Context, log func(ctx context.Context, text string)) context.Context {
	return context.WithValue(ctx, logKey{}, log)
}

// Log tells what work is done that takes a while. A Terraform resource has no progress other
// than its log.
func Log(ctx context.Context, text string) {
	if log, ok := ctx.Value(logKey{}).(func(context.Context, string)); ok {
		log(ctx, text)
	}
}
