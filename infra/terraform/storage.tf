# One key for everything at rest, and two buckets: for files that the product makes, such as reports, and for what the
# balancer and the network write down.

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["${local.arn}:iam::${local.account}:root"]
    }
  }
  statement {
    sid       = "Services"
    actions   = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]
    principals {
      type = "Service"
      identifiers = [
        "cloudwatch.amazonaws.com",
        "logs.${var.region}.amazonaws.com",
        "ses.amazonaws.com",
        "sns.amazonaws.com",
      ]
    }
    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_kms_key" "this" {
  description         = local.name
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this.key_id
}

locals {
  # The product itself forgets its files; what it has overlooked goes a month after the last day that it can be asked for.
  file_days = 30 + tonumber(lookup(var.settings, "FILE_KEEP_DAYS", "7"))
  # The balancer can write only to a bucket with Amazon's own key.
  buckets = {
    files = { key = "aws:kms", key_id = aws_kms_key.this.arn, days = local.file_days }
    logs  = { key = "AES256", key_id = null, days = 90 }
  }
  # Who writes logs, and only below this account's own names.
  writers = {
    balancer = { who = "logdelivery.elasticloadbalancing", action = "s3:PutObject", below = "/balancer/AWSLogs/${local.account}/*" }
    flow     = { who = "delivery.logs", action = "s3:PutObject", below = "/flow/AWSLogs/${local.account}/*" }
    flow_acl = { who = "delivery.logs", action = "s3:GetBucketAcl", below = "" }
    files    = { who = "logging.s3", action = "s3:PutObject", below = "/files/*" } # S3 takes them of this account alone
  }
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets
  bucket   = "${local.name}-${each.key}-${local.account}"
}

# Who fetched which file. The bucket of logs keeps none of itself, or it would never end.
resource "aws_s3_bucket_logging" "files" {
  bucket        = aws_s3_bucket.this["files"].id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "files/"
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = local.buckets
  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = each.value.key
      kms_master_key_id = each.value.key_id
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  rule {
    id     = "forget"
    status = "Enabled"
    filter {}
    expiration {
      days = each.value.days
    }
    noncurrent_version_expiration {
      noncurrent_days = 7
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets
  statement {
    sid       = "OnlyEncrypted"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
  dynamic "statement" {
    for_each = each.key == "logs" ? local.writers : {}
    content {
      actions   = [statement.value.action]
      resources = ["${aws_s3_bucket.this["logs"].arn}${statement.value.below}"]
      principals {
        type        = "Service"
        identifiers = ["${statement.value.who}.amazonaws.com"]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id
  policy   = data.aws_iam_policy_document.bucket[each.key].json
}
