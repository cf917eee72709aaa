"""Takes out of an environment what this product never opens: the hundreds of other services that boto3 knows."""

import shutil
import sysconfig
from pathlib import Path
from typing import Final

#: Letters go through sesv2, their events come from sns, files lie in s3, `infra.aws` moves services (ecs), roles are had
#: from sts.
SERVICES: Final = frozenset({"ecs", "s3", "sesv2", "sns", "sts"})

if __name__ == "__main__":
    for service in (Path(sysconfig.get_path("purelib")) / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
