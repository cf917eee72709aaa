output "repository" {
  description = "Where images are pushed to"
  value       = aws_ecr_repository.this.repository_url
}

output "deploy_role" {
  description = "What a GitHub workflow assumes"
  value       = aws_iam_role.deploy.arn
}

output "database_host" {
  description = "For DATABASE_URL"
  value       = aws_db_instance.this.address
}

output "cache_host" {
  description = "For REDIS_URL"
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "network" {
  description = "For tasks that run once: `aws ecs run-task --network-configuration`"
  value = jsonencode({
    awsvpcConfiguration = {
      subnets        = aws_subnet.private[*].id
      securityGroups = [aws_security_group.this["tasks"].id]
    }
  })
}
