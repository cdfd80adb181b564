# Identify the session of a bridge that another team runs.
variable "session" {
  type        = string
  description = "Content of that bridge's session file."
}

output "session_fingerprint" {
  value = provider::scimbridge::session_fingerprint(var.session)
}
