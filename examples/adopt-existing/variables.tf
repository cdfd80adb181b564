variable "account_url" {
  type        = string
  default     = "http://127.0.0.1:8600"
  description = "Address of the account service."
}

variable "default_action" {
  type        = string
  default     = "allow"
  description = "What the firewall does if no rule matches."
}

variable "firewall_rules" {
  type = map(object({
    action        = optional(string)
    ip_ranges     = optional(set(string))
    countries     = optional(set(string))
    continents    = optional(set(string))
    anonymous_ips = optional(set(string))
    priority      = optional(number)
    description   = optional(string)
  }))
  default     = {}
  description = "The rules, by names of your choice. One that equals an existing rule takes that over."
}

variable "signup_domains" {
  type        = set(string)
  default     = []
  description = "Domains under which people may sign up and confirm a new address."
}
