import {
  to = scimbridge_provisioning.this
  identity = {
    id = "int_4WQ7"
  }
}
