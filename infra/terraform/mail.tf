resource "aws_sesv2_configuration_set" "this" {
  configuration_set_name = local.name
  delivery_options {
    tls_policy = "REQUIRE"
  }
  reputation_options {
    reputation_metrics_enabled = true
  }
  sending_options {
    sending_enabled = true
  }
  suppression_options {
    suppressed_reasons = ["BOUNCE", "COMPLAINT"]
  }
}

resource "aws_sesv2_email_identity" "this" {
  email_identity         = var.mail_domain
  configuration_set_name = aws_sesv2_configuration_set.this.configuration_set_name
  dkim_signing_attributes {
    next_signing_key_length = "RSA_2048_BIT"
  }
}

resource "aws_sesv2_email_identity_mail_from_attributes" "this" {
  email_identity         = aws_sesv2_email_identity.this.email_identity
  mail_from_domain       = local.mail_from
  behavior_on_mx_failure = "REJECT_MESSAGE"
}

locals {
  mail_from = "bounce.${var.mail_domain}"
  mail_records = {
    "${local.mail_from} MX"         = ["10 feedback-smtp.${var.region}.amazonses.com"]
    "${local.mail_from} TXT"        = ["v=spf1 include:amazonses.com -all"]
    "_dmarc.${var.mail_domain} TXT" = ["v=DMARC1; p=quarantine; adkim=s; rua=mailto:${var.alarm_email}"]
  }
}

resource "aws_route53_record" "mail" {
  for_each = local.mail_records
  zone_id  = data.aws_route53_zone.this.zone_id
  name     = split(" ", each.key)[0]
  type     = split(" ", each.key)[1]
  records  = each.value
  ttl      = 300
}

resource "aws_route53_record" "dkim" {
  count   = 3
  zone_id = data.aws_route53_zone.this.zone_id
  name    = "${aws_sesv2_email_identity.this.dkim_signing_attributes[0].tokens[count.index]}._domainkey.${var.mail_domain}"
  type    = "CNAME"
  records = ["${aws_sesv2_email_identity.this.dkim_signing_attributes[0].tokens[count.index]}.dkim.amazonses.com"]
  ttl     = 300
}

# What became of each letter comes back to /webhooks/ses; what cannot be handed over waits in a queue, and rings an alarm.

resource "aws_sns_topic" "mail" {
  name              = "${local.name}-mail"
  kms_master_key_id = aws_kms_key.this.id
  signature_version = 2
}

data "aws_iam_policy_document" "mail_topic" {
  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.mail.arn]
    principals {
      type        = "Service"
      identifiers = ["ses.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_sns_topic_policy" "mail" {
  arn    = aws_sns_topic.mail.arn
  policy = data.aws_iam_policy_document.mail_topic.json
}

resource "aws_sesv2_configuration_set_event_destination" "mail" {
  configuration_set_name = aws_sesv2_configuration_set.this.configuration_set_name
  event_destination_name = "product"
  event_destination {
    enabled              = true
    matching_event_types = ["BOUNCE", "COMPLAINT", "DELIVERY", "DELIVERY_DELAY", "REJECT"]
    sns_destination {
      topic_arn = aws_sns_topic.mail.arn
    }
  }
  depends_on = [aws_sns_topic_policy.mail]
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${local.name}-mail-undelivered"
  message_retention_seconds = 1209600 # 14 days, the most there is
  kms_master_key_id         = aws_kms_key.this.id
}

data "aws_iam_policy_document" "undelivered" {
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.undelivered.arn]
    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_sns_topic.mail.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "undelivered" {
  queue_url = aws_sqs_queue.undelivered.id
  policy    = data.aws_iam_policy_document.undelivered.json
}

# The web takes the question and a worker answers it, so they have to be there already.
resource "aws_sns_topic_subscription" "mail" {
  count                           = var.is_running ? 1 : 0
  topic_arn                       = aws_sns_topic.mail.arn
  protocol                        = "https"
  endpoint                        = "https://${var.domain}/webhooks/ses"
  endpoint_auto_confirms          = true
  confirmation_timeout_in_minutes = 10
  redrive_policy                  = jsonencode({ deadLetterTargetArn = aws_sqs_queue.undelivered.arn })
  depends_on                      = [aws_ecs_service.web, aws_ecs_service.behind, aws_route53_record.web]
}
