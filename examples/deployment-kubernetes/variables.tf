variable "image" {
  type        = string
  description = "The bridge's image, by digest: REGISTRY/scim-bridge@sha256:..."

  validation {
    condition     = strcontains(var.image, "@sha256:")
    error_message = "Name the image by its digest. A tag may become another image without a change here."
  }
}

variable "public_url" {
  type        = string
  description = "The address of the ingress, as the identity provider knows it: https://scim.example.com."
}

variable "proxies" {
  type        = list(string)
  description = "Networks of the ingress controller's pods. Their X-Forwarded-For is believed."
}

variable "namespace" {
  type        = string
  default     = "default"
  description = "An existing namespace."
}

variable "manager_email" {
  type        = string
  default     = "provision-manager@example.com"
  description = "E-mail address of the Provision Manager, the member that the bridges sign in as."
}

variable "bearer_token" {
  type        = string
  ephemeral   = true # in no plan and no state
  default     = null # needed to activate and to rotate
  description = "The token that the identity provider sends to the bridges; `scim-bridge token` makes one."
}
