"""Orders, as editors and admins work with them: what needs somebody, the review queue, every order, people."""

from typing import Any

from web.orders.admin.api import AdminDecisions, AdminOrders
from web.orders.admin.audit import audit_log
from web.orders.admin.care import Care
from web.orders.admin.decisions import Decisions
from web.orders.admin.money import Money
from web.orders.admin.orders import AllOrders
from web.orders.admin.overview import ask_again, overview
from web.orders.admin.people import People
from web.orders.admin.review import ReviewQueue
from web.orders.admin.search import find, show_person
from web.orders.admin.second_person import RefundRequests

__all__ = ["handlers"]

handlers: list[Any] = [
    overview,
    ask_again,
    ReviewQueue,
    AllOrders,
    Decisions,
    Care,
    People,
    audit_log,
    Money,
    RefundRequests,
    find,
    show_person,
    AdminOrders,
    AdminDecisions,
]
