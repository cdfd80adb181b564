package attr

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// A canonicalizer tells the spellings of one thing from those of another.
type canonicalizer interface {
	// canonical returns the canonical form of a text, or an error that says
	// what is wrong with it.
	canonical(text string) (string, error)
}

// canonicalOf is S's method canonical: S is a type argument and has no value.
func canonicalOf[S canonicalizer](text string) (string, error) {
	var s S
	return s.canonical(text)
}

// TextType is the type of texts that are equal if their canonical forms are.
type TextType[S canonicalizer] struct{ basetypes.StringType }

// Text is a value of TextType.
type Text[S canonicalizer] struct{ basetypes.StringValue }

var (
	_ basetypes.StringTypable                    = TextType[code]{}
	_ basetypes.StringValuableWithSemanticEquals = Text[code]{}
)

// Equal implements attr.Type.
func (t TextType[S]) Equal(o attr.Type) bool { _, ok := o.(TextType[S]); return ok }

// String implements attr.Type.
func (t TextType[S]) String() string { return fmt.Sprintf("%T", t) }

// ValueType implements attr.Type.
func (t TextType[S]) ValueType(context.Context) attr.Value { return Text[S]{} }

// ValueFromString implements basetypes.StringTypable.
func (t TextType[S]) ValueFromString(_ context.Context, in basetypes.StringValue,
) (basetypes.StringValuable, diag.Diagnostics) {
	return Text[S]{in}, nil
}

// ValueFromTerraform implements attr.Type.
func (t TextType[S]) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	value, err := t.StringType.ValueFromTerraform(ctx, in)
	if err != nil {
		return nil, err
	}
	return Text[S]{value.(basetypes.StringValue)}, nil
}

// Type implements attr.Value.
func (v Text[S]) Type(context.Context) attr.Type { return TextType[S]{} }

// Equal implements attr.Value.
func (v Text[S]) Equal(o attr.Value) bool {
	other, ok := o.(Text[S])
	return ok && v.StringValue.Equal(other.StringValue)
}

// StringSemanticEquals implements basetypes.StringValuableWithSemanticEquals.
func (v Text[S]) StringSemanticEquals(_ context.Context, o basetypes.StringValuable) (bool, diag.Diagnostics) {
	other, ok := o.(Text[S])
	return ok && equivalent[S](v.ValueString(), other.ValueString()), nil
}

// equivalent reports whether two texts have the same canonical form.
func equivalent[S canonicalizer](a, b string) bool {
	x, errX := canonicalOf[S](a)
	y, errY := canonicalOf[S](b)
	return errX == nil && errY == nil && x == y
}

// byCanonical are the elements of a set of Text by their canonical forms. What
// is null, unknown or has none is left out, and whole is false then.
func byCanonical[S canonicalizer](set basetypes.SetValue) (of map[string]string, whole bool) {
	of, whole = make(map[string]string), !set.IsNull() && !set.IsUnknown()
	for _, element := range set.Elements() {
		value, ok := element.(Text[S])
		if !ok || value.IsNull() || value.IsUnknown() {
			whole = false
			continue
		}
		name, err := canonicalOf[S](value.ValueString())
		if err != nil {
			whole = false
			continue
		}
		of[name] = value.ValueString()
	}
	return of, whole
}

// eachElement validates a set of Text: it refuses an element that has no
// canonical form, and two that have the same, which the account would keep once.
type eachElement[S canonicalizer] struct {
	what  string                  // one element, as a title names it
	must  string                  // what each must be
	check func(text string) error // what else must hold; may be nil
}

// Description implements validator.Describer.
func (v eachElement[S]) Description(context.Context) string { return "each must be " + v.must }

// MarkdownDescription implements validator.Describer.
func (v eachElement[S]) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateSet implements validator.Set.
func (v eachElement[S]) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	first := make(map[string]string)
	for _, element := range req.ConfigValue.Elements() {
		value, ok := element.(Text[S])
		if !ok || value.IsNull() || value.IsUnknown() {
			continue
		}
		text, at := value.ValueString(), req.Path.AtSetValue(value)
		name, err := canonicalOf[S](text)
		if err == nil && v.check != nil {
			err = v.check(text)
		}
		if err != nil {
			resp.Diagnostics.AddAttributeError(at, "Invalid "+v.what, err.Error())
			continue
		}
		if twin, seen := first[name]; seen {
			resp.Diagnostics.AddAttributeError(at, strings.ToUpper(v.what[:1])+v.what[1:]+" given twice",
				fmt.Sprintf("%q and %q are the same %s; leave one out.", twin, text, v.what))
		}
		first[name] = text
	}
}

// suppressEquivalent plans no change when a text, or each of a set, has the
// same canonical form as before.
type suppressEquivalent[S canonicalizer] struct{}

// Description implements planmodifier.Describer.
func (suppressEquivalent[S]) Description(context.Context) string {
	return "another spelling of the same is no change"
}

// MarkdownDescription implements planmodifier.Describer.
func (m suppressEquivalent[S]) MarkdownDescription(ctx context.Context) string {
	return m.Description(ctx)
}

// PlanModifyString implements planmodifier.String.
func (suppressEquivalent[S]) PlanModifyString(_ context.Context, req planmodifier.StringRequest,
	resp *planmodifier.StringResponse) {
	known := !req.StateValue.IsNull() && !req.PlanValue.IsUnknown()
	if known && equivalent[S](req.StateValue.ValueString(), req.PlanValue.ValueString()) {
		resp.PlanValue = req.StateValue
	}
}

// PlanModifySet implements planmodifier.Set.
func (suppressEquivalent[S]) PlanModifySet(_ context.Context, req planmodifier.SetRequest,
	resp *planmodifier.SetResponse) {
	if equivalentSets[S](req.StateValue, req.PlanValue) {
		resp.PlanValue = req.StateValue
	}
}
