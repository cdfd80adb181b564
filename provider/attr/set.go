package attr

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// SetType is the type of sets of Text. The framework's own sets compare each
// element with each, several times in a plan, which for ten thousand of them
// takes minutes.
type SetType[S canonicalizer] struct{ basetypes.SetType }

// Set is a value of SetType.
type Set[S canonicalizer] struct{ basetypes.SetValue }

var (
	_ basetypes.SetTypable                    = SetType[code]{}
	_ basetypes.SetValuableWithSemanticEquals = Set[code]{}
)

func setType[S canonicalizer]() SetType[S] {
	return SetType[S]{basetypes.SetType{ElemType: TextType[S]{}}}
}

// Of is a set of texts.
func (t SetType[S]) Of(texts []string) Set[S] {
	elements := make([]attr.Value, len(texts))
	for i, text := range texts {
		elements[i] = Text[S]{basetypes.NewStringValue(text)}
	}
	return Set[S]{basetypes.NewSetValueMust(TextType[S]{}, elements)}
}

// OrNull is a set of texts, and null where there are none.
func (t SetType[S]) OrNull(texts []string) Set[S] {
	if len(texts) == 0 {
		return t.Null()
	}
	return t.Of(texts)
}

// Null is no set.
func (t SetType[S]) Null() Set[S] { return Set[S]{basetypes.NewSetNull(TextType[S]{})} }

// Unknown is a set that is not known yet.
func (t SetType[S]) Unknown() Set[S] { return Set[S]{basetypes.NewSetUnknown(TextType[S]{})} }

// Equal implements attr.Type.
func (t SetType[S]) Equal(o attr.Type) bool { _, ok := o.(SetType[S]); return ok }

// String implements attr.Type.
func (t SetType[S]) String() string { return "set of " + TextType[S]{}.String() }

// ValueType implements attr.Type.
func (t SetType[S]) ValueType(context.Context) attr.Value {
	return t.Null()
}

// ValueFromSet implements basetypes.SetTypable.
func (t SetType[S]) ValueFromSet(_ context.Context, in basetypes.SetValue) (basetypes.SetValuable, diag.Diagnostics) {
	return Set[S]{in}, nil
}

// ValueFromTerraform implements attr.Type.
func (t SetType[S]) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	value, err := setType[S]().SetType.ValueFromTerraform(ctx, in)
	if err != nil {
		return nil, err
	}
	return Set[S]{value.(basetypes.SetValue)}, nil
}

// Validate takes the place of the framework's search for equal elements:
// Terraform sends none, and a validator refuses those that mean the same.
func (t SetType[S]) Validate(context.Context, tftypes.Value, path.Path) diag.Diagnostics { return nil }

// Type implements attr.Value.
func (v Set[S]) Type(context.Context) attr.Type { return setType[S]() }

// Texts is a set of texts of any canonicalizer.
type Texts interface {
	attr.Value
	// IsWhollyKnown reports whether neither the set nor an element is unknown.
	IsWhollyKnown() bool
	// Canonical are the canonical forms of the elements, sorted. What has none
	// stays as it is: validation refuses it, and so does the account.
	Canonical() []string
	// CanonicalOf is the canonical form of one text, or the text.
	CanonicalOf(text string) string
	// SetTexts makes it the set of these texts, and null where there are none.
	SetTexts(texts []string)
}

var _ Texts = (*Set[code])(nil)

// IsWhollyKnown implements Texts.
func (v Set[S]) IsWhollyKnown() bool {
	return !v.IsUnknown() && !slices.ContainsFunc(v.Elements(), attr.Value.IsUnknown)
}

// Canonical implements Texts.
func (v Set[S]) Canonical() []string {
	var all []string
	for _, element := range v.Elements() {
		if text, ok := element.(Text[S]); ok {
			all = append(all, v.CanonicalOf(text.ValueString()))
		}
	}
	slices.Sort(all)
	return all
}

// CanonicalOf implements Texts.
func (v Set[S]) CanonicalOf(text string) string {
	if canonical, err := canonicalOf[S](text); err == nil {
		return canonical
	}
	return text
}

// SetTexts implements Texts.
func (v *Set[S]) SetTexts(texts []string) { *v = setType[S]().OrNull(texts) }

// Equal implements attr.Value.
func (v Set[S]) Equal(o attr.Value) bool {
	other, ok := o.(Set[S])
	if !ok || v.IsNull() != other.IsNull() || v.IsUnknown() != other.IsUnknown() {
		return false
	}
	return maps.Equal(v.count(), other.count())
}

// count is how often each text is in the set; what is null or unknown has a
// name that no text has.
func (v Set[S]) count() map[string]int {
	counts := make(map[string]int)
	for _, element := range v.Elements() {
		counts[element.String()]++ // quoted, unless it is <null> or <unknown>
	}
	return counts
}

// SetSemanticEquals implements basetypes.SetValuableWithSemanticEquals: sets
// are equal whose elements mean the same.
func (v Set[S]) SetSemanticEquals(_ context.Context, o basetypes.SetValuable) (bool, diag.Diagnostics) {
	other, ok := o.(Set[S])
	if !ok {
		return false, nil
	}
	return equivalentSets[S](v.SetValue, other.SetValue), nil
}

// equivalentSets reports whether the elements of two sets, all of them known,
// have the same canonical forms.
func equivalentSets[S canonicalizer](a, b basetypes.SetValue) bool {
	x, wholeX := byCanonical[S](a)
	y, wholeY := byCanonical[S](b)
	return wholeX && wholeY && slices.Equal(slices.Sorted(maps.Keys(x)), slices.Sorted(maps.Keys(y)))
}
