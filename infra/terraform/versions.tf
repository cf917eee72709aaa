# One root for every environment: `terraform init -backend-config=environments/production.backend.hcl`, then
# `terraform apply -var-file=environments/production.tfvars`. docs/deploy.md walks through it.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25, < 7"
    }
  }
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { Product = "galley", Environment = var.environment }
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_availability_zones" "this" {
  state = "available"
}

locals {
  name    = "galley-${var.environment}"
  account = data.aws_caller_identity.this.account_id
  arn     = "arn:${data.aws_partition.this.partition}"
  zones   = slice(data.aws_availability_zones.this.names, 0, 2)
}
