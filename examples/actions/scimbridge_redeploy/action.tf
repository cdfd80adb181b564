# On demand: terraform apply -invoke=action.scimbridge_redeploy.bridge
action "scimbridge_redeploy" "bridge" {
  config {
    deployment        = "process:/srv/scim-bridge"
    unseal_token_file = "bearer-token"
  }
}

# Or whenever another resource changes.
resource "terraform_data" "maintenance" {
  input = "2026-12"

  lifecycle {
    action_trigger {
      events  = [after_update]
      actions = [action.scimbridge_redeploy.bridge]
    }
  }
}
