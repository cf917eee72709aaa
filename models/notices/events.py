"""The events that other systems can hear of. Names are written into rows and other people's programs: never renamed."""

from collections.abc import Mapping
from typing import Final

EVENTS: Final[Mapping[str, str]] = {
    "notification.created": "A notification was put into somebody's inbox",
    "report.ready": "A report can be downloaded",
    "alert.raised": "Something needs a person: a queue is late, jobs fail, a worker died",
    "alert.ended": "What needed a person is over",
    "order.paid": "An order was paid for, and is being worked on",
    "order.ready": "The text of an order can be looked at by its buyer",
    "order.published": "An order was approved, and its text is published",
    "order.failed": "An order failed; its money goes back, unless its bank has it or it went back before",
    "order.refunded": "The whole price of an order was given back",
    "endpoint.tested": "Somebody pressed “Send a test” for this endpoint",
}
