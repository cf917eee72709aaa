"""`python -m infra.aws deploy ENVIRONMENT IMAGE` and `python -m infra.aws role`."""

import argparse
import asyncio
import os
import sys

from infra.aws.deployment import Deployment, NotDeployedError
from infra.aws.role import make_role


def main() -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.aws")
    commands = parser.add_subparsers(dest="command", required=True)
    deploy = commands.add_parser("deploy", help="migrate, then move every service to an image")
    deploy.add_argument("environment", choices=("staging", "production"))
    deploy.add_argument("image", help="repository@sha256:…")
    deploy.add_argument(
        "--without-release", action="store_true", help="do not migrate: to go back to an older image"
    )
    role = commands.add_parser("role", help="make or change the role of DATABASE_URL; run as the task `role`")
    role.add_argument(
        "--alone", action="store_true", help="let the other name sign in no more: after the deployment"
    )
    options = parser.parse_args()
    if options.command == "role":
        asyncio.run(make_role(is_alone=options.alone))
        return 0
    import boto3

    try:
        # boto3 itself reads AWS_DEFAULT_REGION alone; ECS, GitHub's action and every other SDK say AWS_REGION.
        ecs = boto3.client("ecs", region_name=os.environ.get("AWS_REGION"))
        deployment = Deployment(ecs, f"galley-{options.environment}", options.image)
        deployment.run(is_migrating=not options.without_release)
    except NotDeployedError as error:
        sys.stderr.write(f"Not deployed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
