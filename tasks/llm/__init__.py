"""Asking language models: one door, a ledger, and budgets."""

from models.usage.rules import BudgetSpent
from tasks.llm.ask import Answer, Llm
from tasks.llm.errors import BadAnswer, CallFailed, ContentRefused, NothingStored, RequestRejected
from tasks.llm.options import Endpoint, LlmOptions, ModelName, Price

__all__ = [
    "Answer",
    "BadAnswer",
    "BudgetSpent",
    "CallFailed",
    "ContentRefused",
    "Endpoint",
    "Llm",
    "LlmOptions",
    "ModelName",
    "NothingStored",
    "Price",
    "RequestRejected",
]
