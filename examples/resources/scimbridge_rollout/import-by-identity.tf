import {
  to = scimbridge_rollout.bridges
  identity = {
    id = "3f786850e387"
  }
}
