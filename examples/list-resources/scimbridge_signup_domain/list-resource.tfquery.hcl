# terraform query -generate-config-out=domains.tf
list "scimbridge_signup_domain" "all" {
  provider = scimbridge
}
