package attr

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func TestSetsOfTexts(t *testing.T) {
	t.Parallel()
	of := CodesType().Of
	for _, row := range []struct {
		name        string
		a, b        Codes
		equal, same bool // in spelling, in meaning
	}{
		{"the same in another order", of([]string{"CH", "DE"}), of([]string{"DE", "CH"}), true, true},
		{"another spelling", of([]string{"CH"}), of([]string{"ch"}), false, true},
		{"one more", of([]string{"CH"}), of([]string{"CH", "DE"}), false, false},
		{"as many, but others", of([]string{"CH", "DE"}), of([]string{"CH", "FR"}), false, false},
		{"two that are empty", of(nil), of(nil), true, true},
		{"an empty one, and none", of(nil), CodesType().Null(), false, false},
		{"an empty one where null is meant, and none", CodesType().OrNull(nil), CodesType().Null(), true, false},
		{"one that is not known, and none", CodesType().Unknown(), CodesType().Null(), false, false},
		{"two that are not known", CodesType().Unknown(), CodesType().Unknown(), true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := row.a.Equal(row.b); got != row.equal {
				t.Errorf("equal: %t, want %t", got, row.equal)
			}
			got, diags := row.a.SetSemanticEquals(t.Context(), row.b)
			if got != row.same || diags.HasError() {
				t.Errorf("the same: %t, %v; want %t", got, diags, row.same)
			}
		})
	}
	if of(nil).Equal(DomainsType().Of(nil)) {
		t.Error("sets of different types are equal")
	}
}

func TestASetKeepsItsTypeThroughTerraform(t *testing.T) {
	t.Parallel()
	set := CIDRsType().Of([]string{"192.0.2.0/24", "2001:db8::/32"})
	raw, err := set.ToTerraformValue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back, err := set.Type(t.Context()).ValueFromTerraform(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if !back.Equal(set) || !back.Type(t.Context()).Equal(CIDRsType()) {
		t.Errorf("%s became %s", set, back)
	}
	if _, err := CIDRsType().ValueFromTerraform(t.Context(),
		tftypes.NewValue(tftypes.String, "192.0.2.0/24")); err == nil {
		t.Error("a string is taken for a set")
	}
}
