variable "image" {
  type        = string
  description = "The bridge's image, by digest: ACCOUNT.dkr.ecr.REGION.amazonaws.com/scim-bridge@sha256:..."

  validation {
    condition     = strcontains(var.image, "@sha256:")
    error_message = "Name the image by its digest. A tag may become another image without a change here."
  }
}

variable "shell_image" {
  type        = string
  default     = "public.ecr.aws/docker/library/busybox:stable"
  description = "An image with sh, printf and chown. It sees the token: take it from a registry of your own."
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
  description = "How many bridges run."
}

variable "cluster_arn" {
  type        = string
  description = "The ECS cluster."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets, from which a NAT gateway leads to the account."
}

variable "security_group_id" {
  type        = string
  description = "Lets the load balancer alone in to port 3002, and the bridges out to the account."
}

variable "target_group_arn" {
  type        = string
  description = "A target group of the load balancer, of type `ip`, that checks /ready at port 3002."
}

variable "execution_role_arn" {
  type        = string
  description = "The task execution role. It may pull both images, and read the secret (secretsmanager:GetSecretValue)."
}

variable "manager_email" {
  type        = string
  default     = "provision-manager@example.com"
  description = "E-mail address of the Provision Manager, the member that the bridges sign in as."
}
