"""The job engine's truth: what may be asked, how it is asked, and how a claim is held against everybody else."""

from models.jobs.enqueue import Wish, enqueue, enqueue_all
from models.jobs.message import Backoff, Job

__all__ = ["Backoff", "Job", "Wish", "enqueue", "enqueue_all"]
