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
  mail_domain       = "mail.example.com"
  sender            = "Galley <hello@mail.example.com>"
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

run "who_is_ill_is_noticed_and_who_only_waits_is_left_alone" {
  command = plan
  assert {
    condition     = alltrue([for one in aws_lb_target_group.web : one.health_check[0].path == "/health/started"])
    error_message = "Tasks are replaced because PostgreSQL is away."
  }
  assert {
    condition     = aws_ecs_service.web[0].deployment_circuit_breaker[0].rollback && aws_ecs_service.web[0].alarms[0].rollback
    error_message = "A version that does not start, or answers with errors, stays."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.away.treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.away.actions_enabled
    error_message = "A web that is gone rings nowhere."
  }
  assert {
    condition = length(setsubtract(["HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count"], [
      for query in aws_cloudwatch_metric_alarm.errors.metric_query : one(query.metric[*].metric_name)
    ])) == 0
    error_message = "Errors of the balancer, or of the tasks, are not counted."
  }
  assert {
    condition = alltrue([
      for one in aws_cloudwatch_metric_alarm.measured : one.period * one.evaluation_periods == 3600 if one.namespace == "AWS/SES"
    ])
    error_message = "SES tells its rates too seldom for a shorter time."
  }
}

run "each_may_do_what_it_must_and_no_more" {
  command = plan
  assert {
    condition     = [for kind, one in local.processes : kind if one.start == "role"] == ["role"]
    error_message = "Another task is started with the master's password."
  }
  assert {
    condition     = keys(local.secrets.role) == ["DATABASE_URL", "PGPASSWORD", "PGUSER"] && !contains(keys(local.secrets.product), "PGPASSWORD")
    error_message = "The master's password is given to all, or the task `role` is given more than it needs."
  }
  assert {
    condition     = alltrue([for one in data.aws_iam_policy_document.files : contains(flatten(one.statement[*].actions), "s3:ListBucket")])
    error_message = "Of a file that is gone S3 says \"forbidden\"."
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.world["tasks"].from_port == 443 && aws_vpc_security_group_egress_rule.world["tasks"].to_port == 443
    error_message = "Whoever fetches no pages may reach any port."
  }
  assert {
    condition     = alltrue([for name, one in local.behind : one.is_fetching == startswith(name, "worker-")])
    error_message = "The workers cannot fetch pages, or somebody else can."
  }
  assert {
    condition = alltrue([
      for rule in jsondecode(aws_wafv2_web_acl.this.rule_json) :
      values(rule.Statement)[0].ScopeDownStatement.NotStatement.Statement.ByteMatchStatement.SearchString == base64encode("/webhooks/")
    ])
    error_message = "A webhook can be refused by the firewall."
  }
}

run "files_are_there_for_as_long_as_somebody_may_fetch_them" {
  command = plan
  variables {
    settings = { FILE_KEEP_DAYS = "90" }
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this["files"].rule[0].expiration[0].days > 90
    error_message = "The bucket forgets a file that the product still offers."
  }
}

run "a_region_whose_authority_nobody_knows_is_refused" {
  command = plan
  variables {
    region = "eu-nowhere-1"
  }
  expect_failures = [var.region]
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
    database = { class = "db.t4g.medium", storage_gb = 50, connections = 300, is_multi_az = true, backup_days = 1 }
  }
  expect_failures = [var.database]
}
