# Who may do what. ECS starts tasks with one role (images, logs, secrets); each process then has a role of its own.

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

locals {
  # The one task that makes the product's own role in PostgreSQL, and nobody else, is given the master's password.
  readable = {
    product = [for one in aws_secretsmanager_secret.this : one.arn]
    role    = [aws_secretsmanager_secret.this["DATABASE_URL"].arn, aws_db_instance.this.master_user_secret[0].secret_arn]
  }
}

resource "aws_iam_role" "start" {
  for_each           = local.readable
  name               = "${local.name}-start-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "start" {
  for_each = local.readable
  statement {
    sid       = "Registry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # the action knows no resource
  }
  statement {
    sid       = "Image"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [aws_ecr_repository.this.arn]
  }
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.product.arn}:*"]
  }
  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = each.value
  }
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "start" {
  for_each = local.readable
  name     = "start"
  role     = aws_iam_role.start[each.key].id
  policy   = data.aws_iam_policy_document.start[each.key].json
}

resource "aws_iam_role" "process" {
  for_each           = toset(["web", "worker", "dispatcher", "once"])
  name               = "${local.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

# Workers make files, and the web hands them out.
data "aws_iam_policy_document" "files" {
  for_each = {
    web    = ["s3:GetObject"]
    worker = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
  }
  statement {
    sid       = "Files"
    actions   = each.value
    resources = ["${aws_s3_bucket.this["files"].arn}/*"]
  }
  statement {
    sid       = "Missing" # who may not list is told of a file that is gone that it is forbidden
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.this["files"].arn]
  }
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role_policy" "files" {
  for_each = data.aws_iam_policy_document.files
  name     = "files"
  role     = aws_iam_role.process[each.key].id
  policy   = each.value.json
}

# Only workers send letters, only as the sender, only with the configuration set that reports back.
data "aws_iam_policy_document" "worker" {
  statement {
    sid     = "Letters"
    actions = ["ses:SendEmail"]
    resources = [
      aws_sesv2_email_identity.this.arn,
      aws_sesv2_configuration_set.this.arn,
    ]
    condition {
      test     = "StringEquals"
      variable = "ses:FromAddress"
      values   = [regex("[^<> ]+@[^<> ]+", var.sender)]
    }
  }
}

resource "aws_iam_role_policy" "worker" {
  name   = "letters"
  role   = aws_iam_role.process["worker"].id
  policy = data.aws_iam_policy_document.worker.json
}

# A worker asks ECS's agent, which acts with the task's role, not to stop it while it runs a long job.
data "aws_iam_policy_document" "protection" {
  statement {
    sid       = "Protection"
    actions   = ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"]
    resources = ["${local.arn}:ecs:${var.region}:${local.account}:task/${local.name}/*"]
  }
}

resource "aws_iam_role_policy" "protection" {
  name   = "protection"
  role   = aws_iam_role.process["worker"].id
  policy = data.aws_iam_policy_document.protection.json
}

# The dispatcher decides how many workers there are, and about nothing else.
data "aws_iam_policy_document" "dispatcher" {
  statement {
    sid       = "Scaling"
    actions   = ["ecs:UpdateService"]
    resources = [for queue in keys(local.queues) : "${local.arn}:ecs:${var.region}:${local.account}:service/${local.name}/worker-${queue}"]
  }
}

resource "aws_iam_role_policy" "dispatcher" {
  name   = "scaling"
  role   = aws_iam_role.process["dispatcher"].id
  policy = data.aws_iam_policy_document.dispatcher.json
}

# ECS itself moves the balancer's weights during blue/green.
data "aws_iam_policy_document" "ecs" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "blue_green" {
  name               = "${local.name}-blue-green"
  assume_role_policy = data.aws_iam_policy_document.ecs.json
}

resource "aws_iam_role_policy_attachment" "blue_green" {
  role       = aws_iam_role.blue_green.name
  policy_arn = "${local.arn}:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
}
