import {
  to = scimbridge_firewall_policy.this
  identity = {
    id = "acc_5fz3kq2v"
  }
}
