# What runs: the processes of the Procfile, the workers by the queues of tasks/queues.json. Terraform says how a task looks;
# `python -m infra.aws deploy` says which image, and moves the services.

locals {
  port = 8000
  procfile = {
    for line in split("\n", trimspace(file("${path.module}/../../Procfile"))) :
    split(":", line)[0] => split(" ", trimspace(split(":", line)[1]))
  }
  queues = jsondecode(file("${path.module}/../../tasks/queues.json"))

  processes = merge(
    {
      web        = { command = local.procfile.web, start = "product", role = "web", cpu = var.web.cpu, memory = var.web.memory, stop = 30 }
      dispatcher = { command = local.procfile.dispatcher, start = "product", role = "dispatcher", cpu = 256, memory = 512, stop = 30 }
      release    = { command = local.procfile.release, start = "product", role = "once", cpu = 256, memory = 512, stop = 30 }
      role       = { command = ["python", "-m", "infra.aws", "role"], start = "role", role = "once", cpu = 256, memory = 512, stop = 30 }
    },
    {
      for name, queue in local.queues : "worker-${name}" => {
        command = concat(local.procfile.worker, ["--queues", name]), start = "product", role = "worker",
        cpu     = queue.cpu, memory = queue.memory, stop = local.drain_seconds + 20
      }
    },
  )

  # Fargate kills 120 s after it has asked; what is not done by then goes back to the queue, without losing an attempt.
  drain_seconds = 100

  environment = merge(
    {
      ENVIRONMENT                = "production"
      PUBLIC_URL                 = "https://${var.domain}"
      HOST                       = "0.0.0.0"
      PORT                       = tostring(local.port)
      TRUSTED_PROXIES            = "1"
      LOG_FORMAT                 = "json"
      PGSSLMODE                  = "verify-full"
      PGSSLROOTCERT              = "/srv/galley/infra/aws/rds.pem"
      MAIL_SENDER                = var.sender
      MAIL_SES_REGION            = var.region
      MAIL_SES_CONFIGURATION_SET = aws_sesv2_configuration_set.this.configuration_set_name
      MAIL_SES_TOPIC             = aws_sns_topic.mail.arn
      FILE_S3_BUCKET             = aws_s3_bucket.this["files"].id
      FILE_S3_REGION             = var.region
      JOB_DRAIN_SECONDS          = tostring(local.drain_seconds)
      SCALING_BACKEND            = "ecs"
      ECS_CLUSTER                = aws_ecs_cluster.this.name
      ECS_REGION                 = var.region
    },
    var.settings,
  )

  # By the role that a task is started with (roles.tf).
  secrets = {
    product = { for name, one in aws_secretsmanager_secret.this : name => one.arn }
    role = {
      DATABASE_URL = aws_secretsmanager_secret.this["DATABASE_URL"].arn
      PGUSER       = "${aws_db_instance.this.master_user_secret[0].secret_arn}:username::"
      PGPASSWORD   = "${aws_db_instance.this.master_user_secret[0].secret_arn}:password::"
    }
  }
}

resource "aws_cloudwatch_log_group" "product" {
  name              = "/${local.name}"
  retention_in_days = 90
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = local.processes
  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.start[each.value.start].arn
  task_role_arn            = aws_iam_role.process[each.value.role].arn
  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }
  volume {
    name = "tmp"
  }
  container_definitions = jsonencode([{
    name                   = "product"
    image                  = "${aws_ecr_repository.this.repository_url}:${var.image_tag}"
    command                = each.value.command
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    privileged             = false
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    stopTimeout            = each.value.stop
    environment            = [for name, value in local.environment : { name = name, value = value }]
    secrets                = [for name, from in local.secrets[each.value.start] : { name = name, valueFrom = from }]
    portMappings           = each.key == "web" ? [{ containerPort = local.port, protocol = "tcp" }] : []
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.product.name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  }])
}
