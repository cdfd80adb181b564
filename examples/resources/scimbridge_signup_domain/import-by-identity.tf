import {
  to = scimbridge_signup_domain.company
  identity = {
    id = "example.com"
  }
}
