"""`python -m infra.local` starts the whole product on this machine; Ctrl-C ends it."""

import sys

from infra.local.run import main

if __name__ == "__main__":
    sys.exit(main())
