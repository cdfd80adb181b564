output "scim_url" {
  value       = scimbridge_deployment.bridge.scim_url
  description = "Enter it at the identity provider, with the bearer token."
}

output "status_page" {
  value       = "${scimbridge_deployment.bridge.url}/app"
  description = "Open it in a browser and sign in with the bearer token."
}

output "status" {
  value = scimbridge_deployment.bridge.status
}

output "problems" {
  value = scimbridge_deployment.bridge.problems
}
