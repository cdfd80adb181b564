# By the target's kind and the deployment's place, here the data folder.
terraform import scimbridge_deployment.bridge process:/var/lib/scim-bridge
