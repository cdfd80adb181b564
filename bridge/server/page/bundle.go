package page

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// Bundle offers the support bundle for download. A program that shows the token gets one, too: without what the page
// would not show either, if the account has not confirmed the token's credentials.
func Bundle(bundles *bundle.Builder) Section {
	send := func(v *Visit, complete bool) {
		made, err := bundles.Build(v.Context(), complete)
		if err != nil {
			v.refuseBundle(err)
			return
		}
		defer made.Close()
		v.Info("a support bundle was made")
		v.Record(journal.Event{Kind: journal.BundleMade})
		v.Writer.Header().Set("Content-Length", strconv.FormatInt(made.Size, 10))
		v.Download("scim-bridge-support", ".zip", "application/zip")
		_, _ = io.Copy(v.Writer, made) // fails only if the client has disconnected
	}
	return Section{
		Links:   []Link{{Path: "/app/support-bundle", Text: "Support bundle", Download: true}},
		Actions: []Action{{http.MethodGet, "/app/support-bundle", func(v *Visit) { send(v, true) }}},
		ByToken: send,
	}
}

func (v *Visit) refuseBundle(err error) {
	if errors.Is(err, bundle.ErrBusy) {
		v.Writer.Header().Set("Retry-After", "60")
		http.Error(v.Writer, err.Error(), http.StatusServiceUnavailable)
		return
	}
	v.Warn("no support bundle could be made", err)
	http.Error(v.Writer, "no support bundle could be made; the log says why. scim-bridge support-bundle DATA_DIR on "+
		"the bridge's machine may be able to make one", http.StatusInternalServerError)
}
