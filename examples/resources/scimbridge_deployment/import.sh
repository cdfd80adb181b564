# By the target's kind and the deployment's place there.
terraform import scimbridge_deployment.bridge process:/var/lib/scim-bridge
