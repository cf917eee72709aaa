"""Takes out of an environment what this product never opens: the hundreds of other services that boto3 knows, and what
only compilers, editors, debuggers and installers read.
"""

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

#: Letters go through sesv2, their events come from sns, files lie in s3, `infra.aws` moves services (ecs), roles are had
#: from sts.
SERVICES: Final = frozenset({"ecs", "s3", "sesv2", "sns", "sts"})
#: Files of these kinds are read by compilers and editors.
UNREAD: Final = frozenset({".c", ".h", ".pxd", ".pxi", ".pyi", ".pyx"})


def trim(packages: Path) -> None:
    """Take it out of this `site-packages`."""
    for service in (packages / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for file in packages.rglob("*"):
        if file.suffix in UNREAD or file.name == "RECORD":
            file.unlink()
    # Half of what is compiled is what a debugger would want to know.
    subprocess.run(["strip", "--strip-unneeded", *packages.rglob("*.so*")], check=True)


if __name__ == "__main__":
    trim(Path(sysconfig.get_path("purelib")))
