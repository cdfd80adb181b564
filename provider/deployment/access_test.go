package deployment

import (
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

func TestTheConfigurationOfTargetsReachesEveryResourceOfTheRun(t *testing.T) {
	t.Parallel()
	c, err := client.New(client.Config{URL: "http://127.0.0.1:1", Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	SetAccess(c, Access{Docker: engine.Config{Host: "unix:///run/docker.sock"}})
	if got := accessOf(c).Docker.Host; got != "unix:///run/docker.sock" {
		t.Errorf("the resources get the host %q", got)
	}
	if got := accessOf(nil).Docker.Host; got != "" {
		t.Errorf("before the provider is configured the host is %q", got)
	}
}
