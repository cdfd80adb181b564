# terraform apply -invoke=action.scimbridge_redeploy.bridge
action "scimbridge_redeploy" "bridge" {
  config {
    deployment        = "process:/srv/scim-bridge"
    unseal_token_file = "bearer-token"
  }
}
