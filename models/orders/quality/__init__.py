"""Quality control: of an order before payment, of a placed link, of a new article."""

from models.orders.quality.article import check_article, check_part
from models.orders.quality.domains import registrable_domain
from models.orders.quality.integration import check_integration
from models.orders.quality.obstacles import anchor_obstacles, order_obstacles, url_obstacles
from models.orders.quality.report import Check, QcReport

__all__ = [
    "Check",
    "QcReport",
    "anchor_obstacles",
    "check_article",
    "check_integration",
    "check_part",
    "order_obstacles",
    "registrable_domain",
    "url_obstacles",
]
