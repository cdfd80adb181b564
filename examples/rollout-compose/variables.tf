variable "image" {
  type        = string
  description = "The image, by digest. One that was loaded from a file has none: give its tag, scim-bridge:0.1.0."
}

variable "public_url" {
  type        = string
  description = "The address of the proxy, as the identity provider knows it: https://scim.example.com."
}

variable "manager_email" {
  type        = string
  default     = "provision-manager@example.com"
  description = "E-mail address of the Provision Manager, the member that the bridge signs in as."
}

variable "bearer_token" {
  type        = string
  ephemeral   = true # in no plan and no state
  default     = null # needed to activate and to rotate
  description = "The token that the identity provider sends to the bridge; `scim-bridge token` makes one."
}
