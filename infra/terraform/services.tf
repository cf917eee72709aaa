resource "aws_ecs_cluster" "this" {
  name = local.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_ecs_service" "web" {
  count                             = var.is_running ? 1 : 0
  name                              = "web"
  cluster                           = aws_ecs_cluster.this.id
  task_definition                   = aws_ecs_task_definition.this["web"].arn
  launch_type                       = "FARGATE"
  desired_count                     = var.web.min
  health_check_grace_period_seconds = 30
  propagate_tags                    = "SERVICE"

  deployment_configuration {
    strategy             = "BLUE_GREEN"
    bake_time_in_minutes = 5
  }
  alarms {
    alarm_names = [aws_cloudwatch_metric_alarm.errors.alarm_name]
    enable      = true
    rollback    = true
  }
  load_balancer {
    container_name   = "product"
    container_port   = local.port
    target_group_arn = aws_lb_target_group.web["blue"].arn
    advanced_configuration {
      alternate_target_group_arn = aws_lb_target_group.web["green"].arn
      production_listener_rule   = aws_lb_listener_rule.production.arn
      role_arn                   = aws_iam_role.blue_green.arn
    }
  }
  network_configuration {
    subnets         = aws_subnet.private[*].id
    security_groups = [aws_security_group.this["tasks"].id]
  }
  lifecycle {
    ignore_changes = [task_definition, desired_count, load_balancer]
  }
  depends_on = [aws_iam_role_policy_attachment.blue_green]
}

resource "aws_appautoscaling_target" "web" {
  count              = var.is_running ? 1 : 0
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.web[0].name}"
  min_capacity       = var.web.min
  max_capacity       = var.web.max
}

resource "aws_appautoscaling_policy" "web" {
  count              = var.is_running ? 1 : 0
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.web[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.web[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.web[0].resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = 55
    scale_in_cooldown  = 300
    scale_out_cooldown = 60
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

locals {
  # A worker that is asked to end finishes what it has; until it is gone, its follower works beside it.
  behind = var.is_running ? merge(
    { dispatcher = { count = 1 } },
    { for name, queue in local.queues : "worker-${name}" => { count = queue.min } },
  ) : {}
}

resource "aws_ecs_service" "behind" {
  for_each        = local.behind
  name            = each.key
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = each.value.count
  propagate_tags  = "SERVICE"

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = aws_subnet.private[*].id
    security_groups = [aws_security_group.this["tasks"].id]
  }
  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}

# Workers: one more for each two minutes in which the oldest job waits longer than its queue allows; one less when nothing
# has waited for a quarter of an hour. A worker that is asked to end hands back what it cannot finish, so that no job loses an
# attempt by this.

resource "aws_appautoscaling_target" "workers" {
  for_each           = var.is_running ? local.queues : {}
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.behind["worker-${each.key}"].name}"
  min_capacity       = each.value.min
  max_capacity       = each.value.max
}

locals {
  # Each way to scale: by how many tasks, from which distance of its alarm's threshold, and how long to wait before the next.
  ways = {
    more = { pause = 120, steps = [{ by = 1, from = 0, to = 300 }, { by = 2, from = 300, to = null }] }
    less = { pause = 300, steps = [{ by = -1, from = null, to = 0 }] }
  }
  scaled = merge([
    for way in keys(local.ways) : {
      for queue in keys(aws_appautoscaling_target.workers) : "${queue} ${way}" => { queue = queue, way = way }
    }
  ]...)
}

resource "aws_appautoscaling_policy" "workers" {
  for_each           = local.scaled
  name               = each.value.way
  policy_type        = "StepScaling"
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = aws_appautoscaling_target.workers[each.value.queue].resource_id
  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    cooldown                = local.ways[each.value.way].pause
    metric_aggregation_type = "Maximum"
    dynamic "step_adjustment" {
      for_each = local.ways[each.value.way].steps
      content {
        scaling_adjustment          = step_adjustment.value.by
        metric_interval_lower_bound = step_adjustment.value.from
        metric_interval_upper_bound = step_adjustment.value.to
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "workers" {
  for_each            = local.scaled
  alarm_name          = "${local.name}-${each.value.queue}-${each.value.way}"
  alarm_description   = "Moves the number of workers; nobody has to do anything"
  namespace           = local.namespace
  metric_name         = aws_cloudwatch_log_metric_filter.standing["OldestReadySeconds"].name
  dimensions          = { Queue = each.value.queue }
  statistic           = "Maximum"
  period              = 60
  comparison_operator = each.value.way == "more" ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.way == "more" ? local.queues[each.value.queue].age_seconds : 1
  evaluation_periods  = each.value.way == "more" ? 1 : 15
  treat_missing_data  = each.value.way == "more" ? "notBreaching" : "breaching" # nothing told: nothing waits
  alarm_actions       = [aws_appautoscaling_policy.workers[each.key].arn]
}
