package process_test

import (
	"os"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Guard(m.Run))
}
