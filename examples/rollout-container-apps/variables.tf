variable "image" {
  type        = string
  description = "The bridge's image, by digest: REGISTRY.azurecr.io/scim-bridge@sha256:..."

  validation {
    condition     = strcontains(var.image, "@sha256:")
    error_message = "Name the image by its digest. A tag may become another image without a change here."
  }
}

variable "shell_image" {
  type        = string
  default     = "docker.io/library/busybox:stable"
  description = "An image with sh, printf and chown. It sees the token: take it from a registry of your own."
}

variable "resource_group" {
  type        = string
  description = "The resource group of the environment and the vault."
}

variable "environment" {
  type        = string
  description = "The Container Apps environment, in a subnet with a NAT gateway."
}

variable "vault" {
  type        = string
  description = "The key vault that has the bearer token."
}

variable "token_secret" {
  type        = string
  default     = "scim-bearer-token"
  description = "The secret in the vault that has the bearer token, as the only text in it."
}

variable "identity_id" {
  type        = string
  description = "The user-assigned identity that may read the secret (Key Vault Secrets User)."
}

variable "public_url" {
  type        = string
  default     = null # https://scim-bridge.DEFAULT_DOMAIN, of the environment
  description = "The address as the identity provider knows it, if the app has a domain of its own."
}

variable "bridges" {
  type        = number
  default     = 2
  description = "How many bridges run."
}

variable "manager_email" {
  type        = string
  default     = "provision-manager@example.com"
  description = "E-mail address of the Provision Manager, the member that the bridges sign in as."
}
