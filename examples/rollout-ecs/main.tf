# Bridges in an ECS service on Fargate, and a wait until the account hears from all of them.
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
    SCIMBRIDGE_PUBLIC_URL      = var.public_url
    SCIMBRIDGE_TRUSTED_PROXIES = join(",", var.proxies)
  }

  # Another image, session or setting is another revision, and starts new tasks.
  revision = substr(sha256(jsonencode([
    var.image, scimbridge_provisioning.this.session_fingerprint, local.settings,
  ])), 0, 12)

  environment = merge(local.settings, {
    SCIMBRIDGE_REVISION = local.revision
    SCIMBRIDGE_SESSION  = nonsensitive(scimbridge_provisioning.this.session) # sealed; else plans hide the whole task
    # Without this and the container "token", each task starts sealed, until a request with the token reaches it.
    SCIMBRIDGE_UNSEAL_TOKEN_FILE = "/run/secrets/scim-bridge/bearer-token"
  })
}

resource "aws_ecs_task_definition" "bridge" {
  family                   = "scim-bridge"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = "256"
  memory                   = "512"
  execution_role_arn       = var.execution_role_arn

  # On Fargate both are empty, and root's, when the task starts.
  volume {
    name = "secrets"
  }
  volume {
    name = "data"
  }

  container_definitions = jsonencode([
    {
      # ECS hands out secrets as variables, and the bridge reads its token from a file alone. This makes the file, gives
      # both folders to the bridge's user, and ends.
      name       = "token"
      image      = var.shell_image
      essential  = false
      entryPoint = ["sh", "-euc"]
      command = [join("\n", [
        "umask 077",
        "printf %s \"$TOKEN\" >/run/secrets/scim-bridge/bearer-token",
        "chown -R 65532:65532 /run/secrets/scim-bridge /var/lib/scim-bridge",
      ])]
      secrets = [{ name = "TOKEN", valueFrom = var.token_secret_arn }]
      mountPoints = [
        { sourceVolume = "secrets", containerPath = "/run/secrets/scim-bridge", readOnly = false },
        { sourceVolume = "data", containerPath = "/var/lib/scim-bridge", readOnly = false },
      ]
    },
    {
      name                   = "bridge"
      image                  = var.image
      essential              = true
      command                = ["serve"]
      dependsOn              = [{ containerName = "token", condition = "SUCCESS" }]
      readonlyRootFilesystem = true
      stopTimeout            = 40 # to answer the requests under way
      environment            = [for name, value in local.environment : { name = name, value = value }]
      portMappings           = [{ containerPort = 3002, hostPort = 3002, protocol = "tcp" }]
      # ECS does not look at the image's own. It does not fail while the bridge is sealed or the account is away.
      healthCheck = { command = ["CMD", "scim-bridge", "ping"] }
      mountPoints = [
        { sourceVolume = "secrets", containerPath = "/run/secrets/scim-bridge", readOnly = true },
        { sourceVolume = "data", containerPath = "/var/lib/scim-bridge", readOnly = false },
      ]
    },
  ])
}

resource "aws_ecs_service" "bridge" {
  name            = "scim-bridge"
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.bridge.arn
  desired_count   = var.bridges
  launch_type     = "FARGATE"

  network_configuration {
    subnets         = var.subnet_ids
    security_groups = [var.security_group_id]
  }

  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = "bridge"
    container_port   = 3002
  }

  # If tasks of a new revision cannot start, ECS returns to the old ones, and the wait below names their revision.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
}

resource "scimbridge_rollout" "bridges" {
  revision = local.revision
  bridges  = var.bridges

  depends_on = [aws_ecs_service.bridge]
}

# What the account sees is the address of the subnets' NAT gateways, known once a bridge has tried to sign in. If the
# gateways are managed here, write their `public_ip` instead: then a new gateway needs no second apply.
resource "scimbridge_firewall_rule" "bridges" {
  ip_ranges   = scimbridge_rollout.bridges.egress_addresses
  description = "the SCIM bridges on ECS"
}
