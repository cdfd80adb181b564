# Bridges as the package's systemd unit on virtual machines, and a wait until the account hears from all of them. The
# machines are EC2 instances with Amazon Linux 2023; cloud-init.yaml.tftpl needs few changes for another cloud.
#
#   export SCIMBRIDGE_ACCOUNT_URL=https://account.example.com SCIMBRIDGE_ACCOUNT_TOKEN=...
#   (umask 077; scim-bridge token > bearer-token)         # the identity provider needs it too
#   aws secretsmanager create-secret --name scim/bearer-token --secret-string file://bearer-token
#   terraform apply
#
# To rotate the credentials, put a new token into the secret and apply again.

terraform {
  required_version = ">= 1.11"
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }
}

# Read in each run, and kept in no plan and no state.
ephemeral "aws_secretsmanager_secret_version" "token" {
  secret_id = var.token_secret_arn
}

resource "scimbridge_provisioning" "this" {
  manager_email   = var.manager_email
  bearer_token_wo = trimspace(ephemeral.aws_secretsmanager_secret_version.token.secret_string)
}

locals {
  # The load balancer has the certificate: the bridge serves plain HTTP to it and to no other machine. With an address
  # of https:// here, the bridge needs no --insecure-http.
  settings = {
    SCIMBRIDGE_LISTEN          = ":3002"
    SCIMBRIDGE_PUBLIC_URL      = var.public_url
    SCIMBRIDGE_TRUSTED_PROXIES = join(",", var.proxies)
  }

  # Another package, session or setting is another revision, and makes new machines.
  revision = substr(sha256(jsonencode([
    var.package, scimbridge_provisioning.this.session_fingerprint, local.settings,
  ])), 0, 12)
}

resource "aws_instance" "bridge" {
  count = var.bridges

  ami                    = var.ami
  instance_type          = var.instance_type
  subnet_id              = element(var.subnet_ids, count.index)
  vpc_security_group_ids = [var.security_group_id]
  iam_instance_profile   = var.instance_profile

  user_data = templatefile("${path.module}/cloud-init.yaml.tftpl", {
    settings         = merge(local.settings, { SCIMBRIDGE_REVISION = local.revision })
    session          = scimbridge_provisioning.this.session # sealed
    package          = var.package
    token_secret_arn = var.token_secret_arn
  })
  user_data_replace_on_change = true

  metadata_options {
    http_tokens = "required"
  }

  # The old machines end after the wait for the new ones, which depends on these.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_target_group_attachment" "bridge" {
  count = var.bridges

  target_group_arn = var.target_group_arn
  target_id        = aws_instance.bridge[count.index].id
  port             = 3002

  lifecycle {
    create_before_destroy = true
  }
}

resource "scimbridge_rollout" "bridges" {
  revision = local.revision
  bridges  = var.bridges

  depends_on = [aws_lb_target_group_attachment.bridge]
}

# What the account sees is the address of the subnets' NAT gateways, known once a bridge has tried to sign in. If the
# gateways are managed here, write their `public_ip` instead. Machines with addresses of their own need
# `allow_lockout = true`, too: the old machines may still run when the rule drops their addresses. It also turns off the
# check for the machine that runs Terraform.
resource "scimbridge_firewall_rule" "bridges" {
  ip_ranges   = scimbridge_rollout.bridges.egress_addresses
  description = "the SCIM bridges on virtual machines"
}
