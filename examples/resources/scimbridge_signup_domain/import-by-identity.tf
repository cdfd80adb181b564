import {
  to = scimbridge_signup_domain.company["example.com"]
  identity = {
    id = "example.com"
  }
}
