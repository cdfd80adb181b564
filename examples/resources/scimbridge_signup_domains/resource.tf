# The whole list. The next plan shows a domain that was added by hand.
resource "scimbridge_signup_domains" "company" {
  domains = ["example.com", "example.org"]
}
