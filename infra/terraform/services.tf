resource "aws_ecs_cluster" "this" {
  name = local.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
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
  wait_for_steady_state             = true # what follows, such as SNS's question, wants an answer

  deployment_configuration {
    strategy             = "BLUE_GREEN"
    bake_time_in_minutes = 5
  }
  # Who never becomes healthy is given up after a few tries; who answers with errors, by the alarm.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
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
  # A worker that is asked to end finishes what it has; until it is gone, its follower works beside it. How many workers there
  # are, the dispatcher decides (tasks/scaling.py): these numbers are only where it begins.
  behind = var.is_running ? merge(
    { dispatcher = { count = 1, is_fetching = false } },
    { for name, queue in local.queues : "worker-${name}" => { count = queue.min, is_fetching = true } },
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
    security_groups = concat([aws_security_group.this["tasks"].id], each.value.is_fetching ? [aws_security_group.this["workers"].id] : [])
  }
  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}
