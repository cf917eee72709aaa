# Valkey carries news between processes. Losing its content loses nothing but time, so nothing of it is backed up.

resource "aws_elasticache_subnet_group" "this" {
  name       = local.name
  subnet_ids = aws_subnet.data[*].id
}

resource "aws_elasticache_parameter_group" "this" {
  name   = "${local.name}-valkey8"
  family = "valkey8"
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = local.name
  description                = "News between the processes of ${local.name}"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.cache.class
  num_cache_clusters         = var.cache.nodes
  automatic_failover_enabled = var.cache.nodes > 1
  multi_az_enabled           = var.cache.nodes > 1
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this["cache"].id]
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.this.arn
  transit_encryption_enabled = true
  maintenance_window         = "sun:04:30-sun:05:30"
  apply_immediately          = true # as PostgreSQL
  lifecycle {
    ignore_changes = [auth_token] # set and changed by a person (docs/deploy.md), so that no state file holds it
  }
}
