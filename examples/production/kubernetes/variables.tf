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
  default     = "https://scim.example.com"
  description = "The address of the Ingress, as the identity provider knows it."
}

variable "account_ca_file" {
  type        = string
  default     = "ca.crt"
  description = "The authority of the account's certificate inside the cluster, from the Secret account-tls."
}

variable "pod_network" {
  type        = string
  default     = "10.42.0.0/16"
  description = "The network of the cluster's pods, as in manifests/4-account.yaml."
}

variable "offices" {
  type        = list(string)
  description = "Networks from which people and Terraform reach the account."
}

variable "signup_domains" {
  type        = set(string)
  default     = ["example.com"]
  description = "Domains under which people may sign up and confirm a new address."
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

variable "monitoring_token" {
  type        = string
  ephemeral   = true
  default     = null # needed for the first apply, and for another one with a new version
  description = "The token by which Prometheus may read the bridges' metrics."
}
