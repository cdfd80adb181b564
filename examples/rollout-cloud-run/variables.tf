variable "image" {
  type        = string
  description = "The bridge's image, by digest: REGION-docker.pkg.dev/PROJECT/REPOSITORY/scim-bridge@sha256:..."

  validation {
    condition     = strcontains(var.image, "@sha256:")
    error_message = "Name the image by its digest. A tag may become another image without a change here."
  }
}

variable "token_secret" {
  type        = string
  default     = "scim-bearer-token"
  description = "The secret in Secret Manager that has the bearer token, as the only text in it."
}

variable "service_account" {
  type        = string
  description = "The service account of the bridges. It may read the secret (roles/secretmanager.secretAccessor)."
}

variable "subnetwork" {
  type        = string
  description = "A subnetwork of the region, from which a Cloud NAT leads to the account."
}

variable "public_url" {
  type        = string
  default     = null # https://scim-bridge-PROJECT_NUMBER.REGION.run.app
  description = "The address as the identity provider knows it, if the service has a domain of its own."
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
