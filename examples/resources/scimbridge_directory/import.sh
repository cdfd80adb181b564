# By the sealed session itself, as scim-bridge session seal has written it. Nothing is sealed again.
terraform import scimbridge_directory.this "$(cat session)"
