locals {
  # What AWS's sets would refuse, and the product means to take: imports, and articles with HTML, links and paths such as
  # ../../etc. It cleans texts where it shows them, fetches addresses with care, and names no file as somebody typed it.
  counted = [
    "SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "EC2MetaDataSSRF_BODY",
  ]
  # Webhooks are signed, come in bursts from few addresses, hold anything, and must never be lost.
  no_webhook = {
    NotStatement = {
      Statement = {
        ByteMatchStatement = {
          SearchString         = base64encode("/webhooks/")
          FieldToMatch         = { UriPath = {} }
          TextTransformations  = [{ Priority = 0, Type = "NONE" }]
          PositionalConstraint = "STARTS_WITH"
        }
      }
    }
  }
  sets = {
    AWSManagedRulesAmazonIpReputationList = []
    AWSManagedRulesKnownBadInputsRuleSet  = []
    AWSManagedRulesCommonRuleSet          = local.counted
  }
  rate = {
    Name     = "rate"
    Priority = 0
    Action   = { Block = { CustomResponse = { ResponseCode = 429 } } }
    Statement = {
      RateBasedStatement = {
        Limit               = 2000
        EvaluationWindowSec = 300
        AggregateKeyType    = "IP"
        ScopeDownStatement  = local.no_webhook
      }
    }
    VisibilityConfig = { SampledRequestsEnabled = true, CloudWatchMetricsEnabled = true, MetricName = "rate" }
  }
  managed = [for index, name in keys(local.sets) : {
    Name           = name
    Priority       = index + 1
    OverrideAction = { None = {} }
    Statement = {
      ManagedRuleGroupStatement = {
        VendorName          = "AWS"
        Name                = name
        ScopeDownStatement  = local.no_webhook
        RuleActionOverrides = [for rule in local.sets[name] : { Name = rule, ActionToUse = { Count = {} } }]
      }
    }
    VisibilityConfig = { SampledRequestsEnabled = true, CloudWatchMetricsEnabled = true, MetricName = name }
  }]
}

resource "aws_wafv2_web_acl" "this" {
  name      = local.name
  scope     = "REGIONAL"
  rule_json = jsonencode(concat([local.rate], local.managed))
  default_action {
    allow {}
  }
  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = local.name
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  resource_arn = aws_lb.this.arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}

resource "aws_cloudwatch_log_group" "waf" {
  name              = "aws-waf-logs-${local.name}" # the prefix is AWS's condition
  retention_in_days = 90
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.waf.arn]
  redacted_fields {
    single_header {
      name = "cookie"
    }
  }
  redacted_fields {
    single_header {
      name = "authorization"
    }
  }
  redacted_fields {
    uri_path {} # links in letters carry their token there
  }
}
