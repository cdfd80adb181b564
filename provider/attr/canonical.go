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

// A spelling is a kind of text that may be spelled in more than one way.
// canonical gives the one spelling of what a text means, or says what is
// wrong with it.
type spelling interface {
	canonical(text string) (string, error)
}

// canonicalOf is S's canonical: S is a name for it and has no value of its own.
func canonicalOf[S spelling](text string) (string, error) {
	var s S
	return s.canonical(text)
}

// TextType is the type of texts that differ only in meaning, not in spelling.
type TextType[S spelling] struct{ basetypes.StringType }

// Text is a value of TextType.
type Text[S spelling] struct{ basetypes.StringValue }

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
func (t TextType[S]) ValueFromString(_ context.Context, in basetypes.StringValue) (basetypes.StringValuable, diag.Diagnostics) {
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
	return ok && same[S](v.ValueString(), other.ValueString()), nil
}

// same says whether two texts mean the same; what means nothing never does.
func same[S spelling](a, b string) bool {
	x, errX := canonicalOf[S](a)
	y, errY := canonicalOf[S](b)
	return errX == nil && errY == nil && x == y
}

// spellings are the elements of a set of Text: from the canonical one to the
// one in the set. What is null, unknown or means nothing is left out, and
// whole is false then.
func spellings[S spelling](set basetypes.SetValue) (of map[string]string, whole bool) {
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

// each refuses a set of Text with an element that means nothing, and one with
// two spellings of the same thing, which the account would keep once.
type each[S spelling] struct {
	what  string                  // one element, as a title names it
	must  string                  // what each must be
	check func(text string) error // what more is asked; may be nil
}

// Description implements validator.Describer.
func (v each[S]) Description(context.Context) string { return "each must be " + v.must }

// MarkdownDescription implements validator.Describer.
func (v each[S]) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateSet implements validator.Set.
func (v each[S]) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
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

// keep plans no change when a text, or a set of texts, means what it meant before.
type keep[S spelling] struct{}

// Description implements planmodifier.Describer.
func (keep[S]) Description(context.Context) string {
	return "another spelling of the same is no change"
}

// MarkdownDescription implements planmodifier.Describer.
func (k keep[S]) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

// PlanModifyString implements planmodifier.String.
func (keep[S]) PlanModifyString(_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if !req.StateValue.IsNull() && !req.PlanValue.IsUnknown() && same[S](req.StateValue.ValueString(), req.PlanValue.ValueString()) {
		resp.PlanValue = req.StateValue
	}
}

// PlanModifySet implements planmodifier.Set.
func (keep[S]) PlanModifySet(_ context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	if sameSet[S](req.StateValue, req.PlanValue) {
		resp.PlanValue = req.StateValue
	}
}
