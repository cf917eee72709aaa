"""Reports are asked for over the API."""

from tests.jobs_api.conftest import bureau

__all__ = ["bureau"]
