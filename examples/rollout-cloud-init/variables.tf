variable "package" {
  type = object({
    url    = string
    sha256 = string
  })
  description = "The package (.rpm) for the machines' architecture, and its checksum from the release's SHA256SUMS."
}

variable "token_secret_arn" {
  type        = string
  description = "The secret in Secrets Manager that has the bearer token, as the only text in it."
}

variable "public_url" {
  type        = string
  description = "The address of the load balancer, as the identity provider knows it: https://scim.example.com."
}

variable "proxies" {
  type        = list(string)
  description = "Networks of the load balancer's subnets. Its X-Forwarded-For is believed."
}

variable "bridges" {
  type        = number
  default     = 2
  description = "How many bridges run, one on each machine."
}

variable "ami" {
  type        = string
  description = "An image of Amazon Linux 2023, which has cloud-init, dnf and the AWS CLI."
}

variable "instance_type" {
  type        = string
  default     = "t3.micro"
  description = "The machines' type."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets, from which a NAT gateway leads to the account and to the package."
}

variable "security_group_id" {
  type        = string
  description = "Lets the load balancer alone in to port 3002, and the bridges out to the account."
}

variable "target_group_arn" {
  type        = string
  description = "A target group of the load balancer, of type `instance`, that checks /ready at port 3002."
}

variable "instance_profile" {
  type        = string
  description = "The name of the instance profile, whose role may read the secret (secretsmanager:GetSecretValue)."
}

variable "manager_email" {
  type        = string
  default     = "provision-manager@example.com"
  description = "E-mail address of the Provision Manager, the member that the bridges sign in as."
}
