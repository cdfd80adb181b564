import {
  to = scimbridge_signup_domains.company
  identity = {
    id = "acc_5fz3kq2v"
  }
}
