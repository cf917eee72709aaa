# What docs/deploy.md and docs/runbooks.md are written in: `. infra/aws/shell.sh staging`, at the root of this repository.

environment=$1 cluster=galley-$1
value() { sed -n "s/^$1 *= *\"\(.*\)\"/\1/p" "infra/terraform/environments/$environment.$2"; }
export AWS_REGION AWS_DEFAULT_REGION AWS_PAGER=
AWS_REGION=$(value region tfvars) AWS_DEFAULT_REGION=$AWS_REGION domain=$(value domain tfvars)

tf() { terraform -chdir=infra/terraform "$@"; }
apply() { tf apply -var-file="environments/$environment.tfvars" "$@"; }
put() { aws secretsmanager put-secret-value --secret-id "$cluster/$1" --secret-string "$2" --query Name --output text; }
get() { aws secretsmanager get-secret-value --secret-id "$cluster/$1" --query SecretString --output text "${@:2}"; }

# push TAG: builds the image; `image` is what to deploy then. A tag is given once.
push() {
  local repository digest
  repository=$(tf output -raw repository)
  aws ecr get-login-password | docker login --username AWS --password-stdin "${repository%%/*}" &&
    make image BUILDER=docker IMAGE_FLAGS="--platform linux/arm64" &&
    docker tag galley "$repository:$1" && docker push "$repository:$1" || return
  digest=$(aws ecr describe-images --repository-name "$cluster" --image-ids "imageTag=$1" \
    --query 'imageDetails[0].imageDigest' --output text) && image=$repository@$digest && echo "$image"
}
deploy() { .venv/bin/python -m infra.aws deploy "$environment" "$@"; }
# The image that the web runs.
running() {
  aws ecs describe-task-definition --query 'taskDefinition.containerDefinitions[0].image' --output text --task-definition \
    "$(aws ecs describe-services --cluster "$cluster" --services web --query 'services[0].taskDefinition' --output text)"
}

# once release|role [MODULE ARGUMENT…]: a task from its start to its end; then its log, why it ended, and its exit code.
once() {
  local kind=$1 overrides='{}' task ended
  shift
  [ $# = 0 ] || overrides=$(python3 -c 'import json, sys
print(json.dumps({"containerOverrides": [{"name": "product", "command": ["python", "-m", *sys.argv[1:]]}]}))' "$@")
  task=$(aws ecs run-task --cluster "$cluster" --task-definition "$cluster-$kind" --launch-type FARGATE \
    --network-configuration "$(tf output -raw network)" --overrides "$overrides" \
    --query 'tasks[0].taskArn' --output text) || return
  aws ecs wait tasks-stopped --cluster "$cluster" --tasks "$task"
  aws logs get-log-events --log-group-name "/$cluster" --log-stream-name "$kind/product/${task##*/}" --start-from-head \
    --query 'events[].[message]' --output text
  ended=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" \
    --query 'tasks[0].[stoppedReason, containers[0].exitCode]' --output text)
  echo "$ended"
  [ "${ended##*[[:space:]]}" = 0 ]
}

# The events that the product follows, and the version that it reads them in, as curl tells them to Stripe.
stripe_events() {
  .venv/bin/python -c 'from models.payments.inbox import API_VERSION, HANDLED
print(f"-d api_version={API_VERSION}", *(f"-d enabled_events[]={one}" for one in HANDLED))'
}

workers() { python3 -c 'import json; print(*(f"worker-{name}" for name in json.load(open("tasks/queues.json"))))'; }
scale() {
  aws ecs update-service --cluster "$cluster" --service "$1" --desired-count "$2" --query service.serviceName --output text
}
# The dispatcher first: it decides how many workers there are. A worker that ends a long job is waited for.
stop() {
  local service
  scale dispatcher 0 && aws ecs wait services-stable --cluster "$cluster" --services dispatcher || return
  for service in $(workers) web; do scale "$service" 0; done
  aws ecs wait services-stable --cluster "$cluster" --services $(workers) web
}
start() {
  local service
  for service in $(workers) dispatcher; do scale "$service" 1; done
  scale web 2
}

# rename OLD NEW: an instance of PostgreSQL.
rename() {
  aws rds modify-db-instance --db-instance-identifier "$1" --new-db-instance-identifier "$2" --apply-immediately \
    --query DBInstance.DBInstanceStatus --output text || return
  until aws rds wait db-instance-available --db-instance-identifier "$2"; do sleep 10; done
}

aws sts get-caller-identity --query Account --output text
