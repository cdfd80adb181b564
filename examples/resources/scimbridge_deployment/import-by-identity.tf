import {
  to = scimbridge_deployment.bridge
  identity = {
    id = "process:/var/lib/scim-bridge"
  }
}
