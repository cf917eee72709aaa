# A workflow on GitHub, in the environment of this name, may push an image and run `python -m infra.aws deploy`. No keys.

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.has_github_provider ? 0 : 1
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "github" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = ["${local.arn}:iam::${local.account}:oidc-provider/token.actions.githubusercontent.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.github_repository}:environment:${var.environment}"]
    }
  }
}

resource "aws_iam_role" "deploy" {
  name               = "${local.name}-deploy"
  assume_role_policy = data.aws_iam_policy_document.github.json
  depends_on         = [aws_iam_openid_connect_provider.github]
}

data "aws_iam_policy_document" "deploy" {
  statement {
    sid = "Unbound" # these actions know no resource
    actions = [
      "ecr:GetAuthorizationToken",
      "ecs:DescribeTaskDefinition",
      "ecs:RegisterTaskDefinition",
    ]
    resources = ["*"]
  }
  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:DescribeImages",
      "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload",
      "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = [aws_ecr_repository.this.arn]
  }
  statement {
    sid       = "Services"
    actions   = ["ecs:DescribeServices", "ecs:UpdateService"]
    resources = ["${local.arn}:ecs:${var.region}:${local.account}:service/${local.name}/*"]
  }
  statement {
    sid       = "Release"
    actions   = ["ecs:RunTask"]
    resources = ["${local.arn}:ecs:${var.region}:${local.account}:task-definition/${local.name}-release:*"]
  }
  statement {
    sid       = "Watch"
    actions   = ["ecs:DescribeTasks"]
    resources = ["${local.arn}:ecs:${var.region}:${local.account}:task/${local.name}/*"]
  }
  statement {
    sid       = "HandOver" # the role of `role` as well: it is registered with each image, and run by a person
    actions   = ["iam:PassRole"]
    resources = [for one in concat(values(aws_iam_role.start), values(aws_iam_role.process)) : one.arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "deploy" {
  name   = "deploy"
  role   = aws_iam_role.deploy.id
  policy = data.aws_iam_policy_document.deploy.json
}
