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

output "database_parameter_group" {
  description = "For a restored instance: `--db-parameter-group-name`"
  value       = aws_db_parameter_group.this.name
}

output "database_subnet_group" {
  description = "For a restored instance: `--db-subnet-group-name`"
  value       = aws_db_subnet_group.this.name
}

output "database_security_group" {
  description = "For a restored instance: `--vpc-security-group-ids`"
  value       = aws_security_group.this["database"].id
}

output "cache_host" {
  description = "For REDIS_URL"
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "undelivered_mail" {
  description = "The queue of SES's events that the product did not take: `aws sqs receive-message --queue-url`"
  value       = aws_sqs_queue.undelivered.url
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
