variable "offices" {
  type        = list(string)
  description = "Networks from which people and Prometheus reach the account."
}

variable "signup_domains" {
  type        = set(string)
  default     = ["example.com"]
  description = "Domains under which people may sign up and confirm a new address."
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
