# The whole list: a domain that somebody adds by hand shows in the next plan.
resource "scimbridge_signup_domains" "company" {
  domains = ["example.com", "example.org"]
}
