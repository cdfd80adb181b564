variable "bridge_address" {
  type    = string
  default = "192.0.2.7"

  validation {
    condition     = provider::scimbridge::cidr_contains("192.0.2.0/24", var.bridge_address)
    error_message = "The bridge must run in the data centre's network, 192.0.2.0/24."
  }
}
