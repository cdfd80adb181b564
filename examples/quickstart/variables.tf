variable "account_url" {
  type        = string
  default     = "http://127.0.0.1:8600"
  description = "Address of the account service."
}

variable "bearer_token" {
  type        = string
  ephemeral   = true # in no plan and no state
  default     = null # needed to activate and to rotate, not to plan or to destroy
  description = "The token that the identity provider sends to the bridge; `scim-bridge token` makes one."
}

variable "manager_email" {
  type        = string
  default     = "provision-manager@example.com"
  description = "E-mail address of the Provision Manager, the member that the bridge signs in as."
}

variable "signup_domains" {
  type        = set(string)
  default     = ["example.com"]
  description = "Domains under which people may sign up and confirm a new address."
}

variable "listen" {
  type        = string
  default     = "127.0.0.1:3002"
  description = "Address that the bridge listens on."
}

variable "data_dir" {
  type        = string
  default     = null # .bridge beside this file
  description = "Absolute path of the bridge's data folder."
}
