variable "environment" {
  description = "staging or production; part of every name"
  type        = string
  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "The environment is staging or production."
  }
}

variable "region" {
  description = "Where everything is; SES must be offered there"
  type        = string
  validation {
    condition     = strcontains(file("${path.module}/../aws/rds.pem"), "RDS ${var.region} Root CA")
    error_message = "infra/aws/rds.pem has no authority of this region, so that PostgreSQL's certificate could not be verified: add it."
  }
}

variable "domain" {
  description = "The host name that customers see, for example shop.example.com"
  type        = string
}

variable "zone_name" {
  description = "The Route 53 zone that holds the domain, for example example.com"
  type        = string
}

variable "is_running" {
  description = "False for the very first apply: everything but the services, which need an image, secrets and a schema"
  type        = bool
  default     = true
}

variable "image_tag" {
  description = "The image that services are created with; afterwards `python -m infra.aws deploy` moves them"
  type        = string
  default     = "first"
}

variable "vpc_cidr" {
  description = "The addresses of the network"
  type        = string
  default     = "10.20.0.0/16"
}

variable "nat_gateways" {
  description = "2 survives the loss of a zone; 1 costs half"
  type        = number
  default     = 2
  validation {
    condition     = contains([1, 2], var.nat_gateways)
    error_message = "There are two zones: 1 or 2 NAT gateways."
  }
}

variable "database" {
  description = "The size of PostgreSQL, how many connections ring an alarm (a GiB of memory has about 100), and whether a second one stands by in another zone"
  type = object({
    class       = string
    storage_gb  = number
    connections = number
    is_multi_az = bool
    backup_days = number
  })
  default = { class = "db.t4g.medium", storage_gb = 50, connections = 300, is_multi_az = true, backup_days = 14 }
  validation {
    condition     = var.database.backup_days >= 7
    error_message = "A mistake is often found a week later: keep backups for 7 days at least."
  }
}

variable "cache" {
  description = "The size of Valkey; two nodes fail over to each other"
  type        = object({ class = string, nodes = number })
  default     = { class = "cache.t4g.small", nodes = 2 }
}

variable "web" {
  description = "Tasks of the web process, with CPU units and MiB"
  type        = object({ cpu = number, memory = number, min = number, max = number })
  default     = { cpu = 512, memory = 1024, min = 2, max = 10 }
}

variable "sender" {
  description = "The From of every letter; its address must be of mail_domain"
  type        = string
}

variable "mail_domain" {
  description = "The domain that SES signs for; in zone_name, and for this product's letters alone: it is given a DMARC policy"
  type        = string
}

variable "alarm_email" {
  description = "Who is told of alarms"
  type        = string
}

variable "github_repository" {
  description = "owner/name whose workflows may deploy, from the GitHub environment named as this environment"
  type        = string
}

variable "has_github_provider" {
  description = "True if the account already trusts GitHub's identity provider (an account holds it once)"
  type        = bool
  default     = false
}

variable "settings" {
  description = "Any further setting of .env.example that is not a secret"
  type        = map(string)
  default     = {}
}

variable "further_secrets" {
  description = "Any further secret setting of .env.example, for example LLM_ANTHROPIC_API_KEY or OLD_SECRET_KEYS"
  type        = set(string)
  default     = []
}
