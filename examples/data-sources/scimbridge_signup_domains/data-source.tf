data "scimbridge_signup_domains" "all" {}

output "signup_domains" {
  value = data.scimbridge_signup_domains.all.domains
}
