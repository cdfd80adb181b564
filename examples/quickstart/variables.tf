variable "account_url" {
  type        = string
  default     = "http://127.0.0.1:8600"
  description = "Address of the account service."
}

variable "bearer_token" {
  type        = string
  ephemeral   = true # in no plan and no state
  default     = null # needed to activate and to rotate, not to plan or to destroy
  description = "What the identity provider shows to the bridge; `scim-bridge token` makes one."
}

variable "manager_email" {
  type        = string
  default     = "provision-manager@example.com"
  description = "Address of the Provision Manager, the member in whose name the bridge acts."
}

variable "signup_domains" {
  type        = set(string)
  default     = ["example.com"]
  description = "Domains whose people may confirm a new address, and sign up by themselves."
}

variable "listen" {
  type        = string
  default     = "127.0.0.1:3002"
  description = "Address on which the bridge waits for the identity provider."
}

variable "data_dir" {
  type        = string
  default     = null # .bridge beside this file
  description = "Absolute path of the bridge's folder."
}
