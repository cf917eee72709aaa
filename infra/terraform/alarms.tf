# Each alarm has a part of docs/runbooks.md under its name. What the product tells comes from its log: a filter counts
# events, so that a metric can't have another name than the code gives it (tests/infra compares).

resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = aws_kms_key.this.id
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  namespace = local.name

  # name = the events that count, and how many of them within five minutes are too many
  events = {
    truth-broken = { events = ["truth.broken"], more_than = 0 }
    money-differs = {
      events    = ["payments.books_differ", "payments.mismatch", "payments.refund_failed", "payments.event_stranded"]
      more_than = 0
    }
    job-dead         = { events = ["job.dead"], more_than = 0 }
    web-fault        = { events = ["web.fault"], more_than = 3 }
    webhook-refused  = { events = ["payments.webhook_refused", "mail.webhook_refused"], more_than = 10 }
    database-away    = { events = ["web.database_away", "dispatcher.interrupted"], more_than = 3 }
    letters-not-sent = { events = ["mail.post_failed"], more_than = 3 }
  }
  standing = "queue.standing"    # told by the dispatcher for each queue in which something waits
  alive    = "dispatcher.status" # told by the dispatcher once a minute

  balancer_dimensions = { LoadBalancer = aws_lb.this.arn_suffix }
  database_dimensions = { DBInstanceIdentifier = aws_db_instance.this.identifier }

  # name = a metric that AWS itself keeps, and its limit over three periods, of a minute if nothing else is said
  measured = merge(
    {
      web-slow = {
        namespace  = "AWS/ApplicationELB", metric = "TargetResponseTime", stat = "p95", above = 2 # seconds
        dimensions = local.balancer_dimensions
      }
      database-busy = {
        namespace  = "AWS/RDS", metric = "CPUUtilization", stat = "Average", above = 85 # per cent
        dimensions = local.database_dimensions
      }
      database-connections = {
        namespace  = "AWS/RDS", metric = "DatabaseConnections", stat = "Maximum", above = var.database.connections
        dimensions = local.database_dimensions
      }
      # SES tells these a few times an hour at most, so that three minutes in a row never had one each.
      mail-bounces = {
        namespace = "AWS/SES", metric = "Reputation.BounceRate", stat = "Maximum", above = 0.04, dimensions = {}
        period    = 3600, periods = 1
      }
      mail-complaints = {
        namespace = "AWS/SES", metric = "Reputation.ComplaintRate", stat = "Maximum", above = 0.0008, dimensions = {}
        period    = 3600, periods = 1
      }
      mail-events-undelivered = {
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", stat = "Maximum", above = 0
        dimensions = { QueueName = aws_sqs_queue.undelivered.name }
      }
    },
    {
      for index in range(var.cache.nodes) : "cache-full-${index + 1}" => {
        namespace = "AWS/ElastiCache", metric = "DatabaseMemoryUsagePercentage", stat = "Maximum", above = 75
        dimensions = {
          CacheClusterId = "${aws_elasticache_replication_group.this.replication_group_id}-${format("%03d", index + 1)}"
        }
      }
    },
  )
}

resource "aws_cloudwatch_log_metric_filter" "event" {
  for_each       = local.events
  name           = each.key
  log_group_name = aws_cloudwatch_log_group.product.name
  pattern        = "{ ${join(" || ", [for event in each.value.events : "($.event = \"${event}\")"])} }"
  metric_transformation {
    namespace     = local.namespace
    name          = each.key
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "event" {
  for_each            = local.events
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "docs/runbooks.md#${each.key}"
  namespace           = local.namespace
  metric_name         = aws_cloudwatch_log_metric_filter.event[each.key].metric_transformation[0].name
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.more_than
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_log_metric_filter" "standing" {
  for_each       = { ReadyJobs = "ready", RunningJobs = "running", OldestReadySeconds = "oldest_ready_seconds" }
  name           = each.key
  log_group_name = aws_cloudwatch_log_group.product.name
  pattern        = "{ $.event = \"${local.standing}\" }"
  metric_transformation {
    namespace  = local.namespace
    name       = each.key
    value      = "$.${each.value}"
    dimensions = { Queue = "$.queue" }
  }
}

resource "aws_cloudwatch_metric_alarm" "queue_late" {
  for_each            = local.queues
  alarm_name          = "${local.name}-queue-late-${each.key}"
  alarm_description   = "docs/runbooks.md#queue-late"
  namespace           = local.namespace
  metric_name         = aws_cloudwatch_log_metric_filter.standing["OldestReadySeconds"].name
  dimensions          = { Queue = each.key }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 2 * each.value.age_seconds
  period              = 60
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching" # nothing waits
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Who tells nothing does nothing: no schedules, no rescue, no bells rung again.
resource "aws_cloudwatch_log_metric_filter" "alive" {
  name           = "DispatcherAlive"
  log_group_name = aws_cloudwatch_log_group.product.name
  pattern        = "{ $.event = \"${local.alive}\" }"
  metric_transformation {
    namespace = local.namespace
    name      = "DispatcherAlive"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "dispatcher_silent" {
  alarm_name          = "${local.name}-dispatcher-silent"
  alarm_description   = "docs/runbooks.md#dispatcher-silent"
  namespace           = local.namespace
  metric_name         = aws_cloudwatch_log_metric_filter.alive.name
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 3
  treat_missing_data  = "breaching"
  actions_enabled     = var.is_running
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "measured" {
  for_each            = local.measured
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "docs/runbooks.md#${replace(each.key, "/-[0-9]+$/", "")}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.stat, "p") ? null : each.value.stat
  extended_statistic  = startswith(each.value.stat, "p") ? each.value.stat : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = try(each.value.period, 60)
  evaluation_periods  = try(each.value.periods, 3)
  treat_missing_data  = "ignore"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "database_full" {
  alarm_name          = "${local.name}-database-full"
  alarm_description   = "docs/runbooks.md#database-full"
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = local.database_dimensions
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = var.database.storage_gb * 1000 * 1000 * 100 # a tenth, in bytes
  period              = 300
  evaluation_periods  = 2
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# No task answers: then there are no errors of tasks to count either. Of blue and green one is empty, and tells nothing.
resource "aws_cloudwatch_metric_alarm" "away" {
  alarm_name          = "${local.name}-web-away"
  alarm_description   = "docs/runbooks.md#web-away"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 3 # a measurement that comes late counts as 0 until it is there
  treat_missing_data  = "breaching"
  actions_enabled     = var.is_running
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  metric_query {
    id          = "healthy"
    expression  = "FILL(blue, 0) + FILL(green, 0)"
    label       = "healthy tasks"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = aws_lb_target_group.web
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "HealthyHostCount"
        dimensions  = merge(local.balancer_dimensions, { TargetGroup = metric_query.value.arn_suffix })
        period      = 60
        stat        = "Maximum"
      }
    }
  }
}

# Also what turns a blue/green deployment back. The balancer counts as answers only what it had a task for, so that its own
# 503 stand beside them.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${local.name}-web-errors"
  alarm_description   = "docs/runbooks.md#web-errors"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 2 # per cent of more than 10 answers
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  metric_query {
    id          = "rate"
    expression  = "IF(asked > 10, 100 * (FILL(errors, 0) + FILL(own, 0)) / asked, 0)"
    label       = "5xx, per cent"
    return_data = true
  }
  metric_query {
    id         = "asked"
    expression = "FILL(answers, 0) + FILL(own, 0)"
  }
  dynamic "metric_query" {
    for_each = { errors = "HTTPCode_Target_5XX_Count", own = "HTTPCode_ELB_5XX_Count", answers = "RequestCount" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = local.balancer_dimensions
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name
  dashboard_body = jsonencode({
    widgets = [for index, graph in [
      { title = "Oldest waiting job, seconds", metrics = [for queue in keys(local.queues) : [local.namespace, "OldestReadySeconds", "Queue", queue]], stat = "Maximum" },
      { title = "Jobs waiting", metrics = [for queue in keys(local.queues) : [local.namespace, "ReadyJobs", "Queue", queue]], stat = "Maximum" },
      { title = "Jobs running", metrics = [for queue in keys(local.queues) : [local.namespace, "RunningJobs", "Queue", queue]], stat = "Maximum" },
      { title = "What should not happen", metrics = [for name in keys(local.events) : [local.namespace, name]], stat = "Sum" },
      { title = "Answers", metrics = [for code in ["2XX", "4XX", "5XX"] : ["AWS/ApplicationELB", "HTTPCode_Target_${code}_Count", "LoadBalancer", aws_lb.this.arn_suffix]], stat = "Sum" },
      { title = "Time to answer, p95, seconds", metrics = [["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", aws_lb.this.arn_suffix]], stat = "p95" },
      { title = "PostgreSQL, CPU per cent", metrics = [["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", aws_db_instance.this.identifier]], stat = "Average" },
      { title = "Tasks running", metrics = [for service in concat(["web"], keys(local.behind)) : ["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", aws_ecs_cluster.this.name, "ServiceName", service]], stat = "Maximum" },
      ] : {
      type   = "metric"
      x      = (index % 2) * 12
      y      = floor(index / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = graph.title
        metrics = graph.metrics
        stat    = graph.stat
        period  = 60
        region  = var.region
      }
    }]
  })
}
