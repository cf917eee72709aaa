# Terraform makes the places; a person fills them (docs/deploy.md). No value is ever in a state file.

locals {
  secret_settings = setunion(
    ["DATABASE_URL", "REDIS_URL", "SECRET_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"],
    var.further_secrets,
  )
}

resource "aws_secretsmanager_secret" "this" {
  for_each                = local.secret_settings
  name                    = "${local.name}/${each.key}"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 7
}
