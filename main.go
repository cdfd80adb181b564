// Command terraform-provider-scimbridge serves the provider to Terraform.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/provider"
)

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger, and print how Terraform finds the process")
	version := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *version {
		fmt.Print(build.Read().Text("terraform-provider-scimbridge"))
		return
	}
	provider.SilenceUnheardLogs()

	err := providerserver.Serve(context.Background(), provider.New, providerserver.ServeOpts{
		Address: provider.Address,
		Debug:   *debug,
	})
	if err != nil {
		log.Fatal(err)
	}
}
