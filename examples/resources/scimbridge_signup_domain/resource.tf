resource "scimbridge_signup_domain" "company" {
  for_each = toset(["example.com", "example.org"])
  domain   = each.value
}
