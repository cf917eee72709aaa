"""`python -m models.migrations`: the release step of a deployment."""

from models.base.settings import start
from models.migrations import migrate

if __name__ == "__main__":
    migrate(start().database.url)
