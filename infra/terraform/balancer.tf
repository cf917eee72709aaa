resource "aws_lb" "this" {
  name                       = local.name
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.this["balancer"].id]
  subnets                    = aws_subnet.public[*].id
  drop_invalid_header_fields = true
  enable_deletion_protection = true
  # Live pages send a line every 15 s; uvicorn keeps connections for 75 s, so that it is the balancer that hangs up.
  idle_timeout = 60
  access_logs {
    bucket  = aws_s3_bucket.this["logs"].id
    prefix  = "balancer"
    enabled = true
  }
  depends_on = [aws_s3_bucket_policy.this]
}

# Two groups for blue and green: ECS points the production rule from one to the other.
resource "aws_lb_target_group" "web" {
  for_each             = toset(["blue", "green"])
  name                 = "${local.name}-${each.key}"
  port                 = local.port
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = aws_vpc.this.id
  deregistration_delay = 60 # streams end by themselves when a task is asked to end; pages are long done
  health_check {
    path                = "/health/started"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

# A program that speaks plain HTTP is told so: redirected, it would send its token in the open each time.
resource "aws_lb_listener_rule" "plain" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 1
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Use https."
      status_code  = "403"
    }
  }
  condition {
    path_pattern {
      values = ["/api/*", "/webhooks/*"]
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn
  # Whatever has another host name is not here.
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "production" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.web["blue"].arn
        weight = 100
      }
      target_group {
        arn    = aws_lb_target_group.web["green"].arn
        weight = 0
      }
    }
  }
  condition {
    host_header {
      values = [var.domain]
    }
  }
  lifecycle {
    ignore_changes = [action] # ECS moves the weights
  }
}

data "aws_route53_zone" "this" {
  name = var.zone_name
}

resource "aws_route53_record" "web" {
  zone_id = data.aws_route53_zone.this.zone_id
  name    = var.domain
  type    = "A"
  alias {
    name                   = aws_lb.this.dns_name
    zone_id                = aws_lb.this.zone_id
    evaluate_target_health = false
  }
}

resource "aws_acm_certificate" "this" {
  domain_name       = var.domain
  validation_method = "DNS"
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "certificate" {
  zone_id = data.aws_route53_zone.this.zone_id
  name    = tolist(aws_acm_certificate.this.domain_validation_options)[0].resource_record_name
  type    = tolist(aws_acm_certificate.this.domain_validation_options)[0].resource_record_type
  records = [tolist(aws_acm_certificate.this.domain_validation_options)[0].resource_record_value]
  ttl     = 300
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [aws_route53_record.certificate.fqdn]
}
