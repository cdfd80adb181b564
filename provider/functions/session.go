package functions

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type sessionFingerprint struct{}

// NewSessionFingerprint is the function session_fingerprint.
func NewSessionFingerprint() function.Function { return sessionFingerprint{} }

func (sessionFingerprint) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "session_fingerprint"
}

func (sessionFingerprint) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse,
) {
	resp.Definition = function.Definition{
		Summary: "The fingerprint of a sealed session",
		MarkdownDescription: "Returns the fingerprint of a sealed session, " +
			"as `scimbridge_provisioning` and the status page show it. " +
			"Use it to check whether a bridge that Terraform does not deploy has the current session. " +
			"It needs no token.",
		Parameters: []function.Parameter{
			function.StringParameter{
				Name: "session", MarkdownDescription: "The sealed session, for instance `file(\"session\")`.",
			},
		},
		Return: function.StringReturn{},
	}
}

func (sessionFingerprint) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var sealed string
	if resp.Error = req.Arguments.Get(ctx, &sealed); resp.Error != nil {
		return
	}
	file, err := session.Parse(sealed)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(0, err.Error())
		return
	}
	resp.Error = resp.Result.Set(ctx, file.Fingerprint())
}
