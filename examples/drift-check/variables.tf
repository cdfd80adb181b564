variable "account_url" {
  type        = string
  default     = "http://127.0.0.1:8600"
  description = "Address of the account service."
}

variable "bridge_url" {
  type        = string
  default     = "http://127.0.0.1:3002"
  description = "Address of the bridge."
}

variable "bridge_ranges" {
  type        = set(string)
  default     = ["192.0.2.7"]
  description = "Addresses from which the bridge reaches the account."
}

variable "operations_ranges" {
  type        = set(string)
  default     = ["127.0.0.1"]
  description = "Addresses from which Terraform reaches the account."
}

variable "signup_domains" {
  type        = set(string)
  default     = ["example.com"]
  description = "Domains under which people may sign up and confirm a new address."
}
