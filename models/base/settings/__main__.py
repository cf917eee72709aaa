"""Prints `.env.example`: `python -m models.base.settings > .env.example`."""

import sys

from models.base.settings.example import example

sys.stdout.write(example())
