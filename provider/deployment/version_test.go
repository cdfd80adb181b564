package deployment

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A versionTarget is a target of which a version can be chosen.
type versionTarget struct {
	deploy.Target

	source string
}

func (t versionTarget) Source() string { return t.source }

func TestWhichProgramAVersionChooses(t *testing.T) {
	t.Parallel()
	own := deploy.Program{Digest: "own", Version: "2.0.0"}
	for _, row := range []struct {
		name    string
		version types.String
		source  string
		own     deploy.Program
		before  observation
		want    string // the digest
		refused string // in the error
	}{
		{name: "none follows the provider", version: types.StringNull(), own: own, want: "own"},
		{name: "the provider's", version: types.StringValue("2.0.0"), own: own, want: "own"},
		{name: "the deployed one is kept", version: types.StringValue("1.0.0"), own: own,
			before: observation{Digest: "old", Version: "1.0.0"}, want: "old"},
		{name: "another one is refused", version: types.StringValue("3.0.0"), own: own,
			before: observation{Digest: "old", Version: "1.0.0"}, refused: "set version to 2.0.0"},
		{name: "an unknown one chooses later", version: types.StringUnknown(), own: own},
		{name: "a target that cannot be asked yet chooses later", version: types.StringValue("2.0.0")},
		{name: "beside another argument it is refused", version: types.StringValue("2.0.0"), source: "/x", own: own,
			refused: "another argument"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := chooseVersion(row.version, versionTarget{source: row.source}, row.own, row.before)
			if row.refused != "" {
				if err == nil || !strings.Contains(err.Error(), row.refused) {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err != nil || got.Digest != row.want {
				t.Errorf("chosen is %+v, %v; want %q", got, err, row.want)
			}
		})
	}
}
