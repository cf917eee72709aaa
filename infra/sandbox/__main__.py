"""`python -m infra.sandbox`: one process on 127.0.0.1, told by the environment (see README.md)."""

import os
import sys

from infra.sandbox.settings import Settings, SettingsRefused


def main() -> int:
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsRefused as refusal:
        print(refusal, file=sys.stderr)
        return 2
    from infra.sandbox.server import serve

    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
