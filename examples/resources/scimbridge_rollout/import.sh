# By the revision of bridges that run.
terraform import scimbridge_rollout.bridges 3f786850e387
