# What the variables decide. Whatever needs applied values is in infra/checks/facts.py.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
}

variables {
  environment       = "production"
  region            = "eu-central-1"
  domain            = "shop.example.com"
  zone_name         = "example.com"
  mail_domain       = "example.com"
  sender            = "Galley <hello@example.com>"
  alarm_email       = "operations@example.com"
  github_repository = "example/galley"
}

run "production_survives_the_loss_of_a_zone" {
  command = plan
  assert {
    condition     = aws_db_instance.this.multi_az && aws_elasticache_replication_group.this.automatic_failover_enabled
    error_message = "PostgreSQL and Valkey stand in one zone."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 2 && aws_ecs_service.web[0].desired_count >= 2
    error_message = "The way out, or the web, stands in one zone."
  }
  assert {
    condition     = aws_db_instance.this.deletion_protection && aws_db_instance.this.backup_retention_period >= 14
    error_message = "The truth can be lost."
  }
}

run "the_dispatcher_scales_the_workers_and_nothing_else" {
  command = plan
  assert {
    condition = alltrue([
      for one in data.aws_iam_policy_document.dispatcher.statement[0].resources :
      can(regex(":service/galley-production/worker-[a-z]+$", one))
    ])
    error_message = "The dispatcher may change a service that is no worker."
  }
  assert {
    condition     = length(data.aws_iam_policy_document.dispatcher.statement[0].resources) == length(local.queues)
    error_message = "There is a worker service that nobody scales."
  }
  assert {
    condition     = alltrue([for queue in local.queues : queue.min < queue.max])
    error_message = "Nobody would help."
  }
}

run "the_first_apply_makes_no_service" {
  command = plan
  variables {
    is_running = false
  }
  assert {
    condition     = length(aws_ecs_service.web) + length(aws_ecs_service.behind) + length(aws_sns_topic_subscription.mail) == 0
    error_message = "Services need an image, secrets and a schema first."
  }
  assert {
    condition     = contains(keys(aws_ecs_task_definition.this), "role") && contains(keys(aws_ecs_task_definition.this), "release")
    error_message = "The tasks that prepare the database are missing."
  }
}

run "a_name_that_nobody_planned_is_refused" {
  command = plan
  variables {
    environment = "test"
  }
  expect_failures = [var.environment]
}

run "too_few_backups_are_refused" {
  command = plan
  variables {
    database = { class = "db.t4g.medium", storage_gb = 50, is_multi_az = true, backup_days = 1 }
  }
  expect_failures = [var.database]
}
