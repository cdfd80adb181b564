# By hand: terraform apply -invoke=action.scimbridge_redeploy.bridge
action "scimbridge_redeploy" "bridge" {
  config {
    deployment        = "process:/srv/scim-bridge"
    unseal_token_file = "bearer-token"
  }
}

# Or after a change of something else that Terraform manages.
resource "terraform_data" "maintenance" {
  input = "2026-12"

  lifecycle {
    action_trigger {
      events  = [after_update]
      actions = [action.scimbridge_redeploy.bridge]
    }
  }
}
