"""`python -m web` starts the web process."""

import gc

# What is loaded now stays as long as the process does: to look it through again and again was a sixth of the start.
gc.disable()

from web.serve import main  # noqa: E402 - the point is what this loads

if __name__ == "__main__":
    main()
