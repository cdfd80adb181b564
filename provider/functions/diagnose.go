package functions

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

type diagnose struct{}

// NewDiagnose is the function diagnose.
func NewDiagnose() function.Function { return diagnose{} }

type problemModel struct {
	Code      string            `tfsdk:"code"`
	Title     string            `tfsdk:"title"`
	Since     *string           `tfsdk:"since"`
	Cause     string            `tfsdk:"cause"`
	Remedy    string            `tfsdk:"remedy"`
	Terraform string            `tfsdk:"terraform"`
	Details   map[string]string `tfsdk:"details"`
}

var problemType = types.ObjectType{AttrTypes: map[string]attr.Type{
	"code": types.StringType, "title": types.StringType, "since": types.StringType, "cause": types.StringType,
	"remedy": types.StringType, "terraform": types.StringType, "details": types.MapType{ElemType: types.StringType},
}}

func (diagnose) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "diagnose"
}

func (diagnose) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "The problems in a bridge's log, with their remedies",
		MarkdownDescription: "Reads the log of a bridge, this project's or 1Password's, as text or JSON lines, and " +
			"returns the problems in it, oldest first: objects of `code`, `title`, `since` (RFC 3339, null if the " +
			"log does not say), `cause`, `remedy`, `terraform` (a block to paste, else empty) and `details`, a map " +
			"with `count`, `last_seen` and other facts. Other lines are ignored. For 1Password's lines the remedy is " +
			"the vendor's, and `details` has its `source`.\n\n" +
			"A log shows the past: see `last_seen` to judge whether a problem still exists.",
		Parameters: []function.Parameter{
			function.StringParameter{Name: "log", MarkdownDescription: "The log, for instance `file(\"bridge.log\")`."},
		},
		Return: function.ListReturn{ElementType: problemType},
	}
}

func (diagnose) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var log string
	if resp.Error = req.Arguments.Get(ctx, &log); resp.Error != nil {
		return
	}
	found, err := problem.Diagnose(strings.NewReader(log))
	if err != nil {
		resp.Error = function.NewArgumentFuncError(0, err.Error())
		return
	}
	problems := make([]problemModel, len(found.Problems))
	for i, p := range found.Problems {
		problems[i] = problemModel{
			Code: string(p.Code), Title: p.Title, Cause: p.Cause, Remedy: p.Remedy,
			Terraform: p.Terraform, Details: p.Details,
		}
		if !p.Since.IsZero() {
			problems[i].Since = new(p.Since.UTC().Format(time.RFC3339))
		}
	}
	resp.Error = resp.Result.Set(ctx, problems)
}
