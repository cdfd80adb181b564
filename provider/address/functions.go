package address

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are Terraform's functions that often make lists of domains and
// addresses, as far as its expression library has them.
var functions = map[string]function.Function{
	"coalesce":  stdlib.CoalesceFunc,
	"compact":   stdlib.CompactFunc,
	"concat":    stdlib.ConcatFunc,
	"contains":  stdlib.ContainsFunc,
	"distinct":  stdlib.DistinctFunc,
	"flatten":   stdlib.FlattenFunc,
	"format":    stdlib.FormatFunc,
	"join":      stdlib.JoinFunc,
	"keys":      stdlib.KeysFunc,
	"length":    stdlib.LengthFunc,
	"lower":     stdlib.LowerFunc,
	"merge":     stdlib.MergeFunc,
	"range":     stdlib.RangeFunc,
	"replace":   stdlib.ReplaceFunc,
	"setunion":  stdlib.SetUnionFunc,
	"slice":     stdlib.SliceFunc,
	"sort":      stdlib.SortFunc,
	"split":     stdlib.SplitFunc,
	"tolist":    stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
	"tomap":     stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
	"toset":     stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
	"trimspace": stdlib.TrimSpaceFunc,
	"upper":     stdlib.UpperFunc,
	"values":    stdlib.ValuesFunc,
	"zipmap":    stdlib.ZipmapFunc,
}
