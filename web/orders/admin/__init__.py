"""Orders, as editors and admins work with them: what needs somebody, the review queue, every order, jobs, people."""

from typing import Any

from web.orders.admin.decisions import Decisions
from web.orders.admin.jobs import Jobs
from web.orders.admin.orders import AllOrders
from web.orders.admin.overview import overview
from web.orders.admin.people import People
from web.orders.admin.review import ReviewQueue

__all__ = ["handlers"]

handlers: list[Any] = [overview, ReviewQueue, AllOrders, Decisions, Jobs, People]
