"""Every table of the product, for migrations and for the test that compares them."""

import models.accounts.tables
import models.jobs.tables
import models.mail.tables
import models.orders.aftercare_tables
import models.orders.tables
import models.payments.tables
import models.usage.tables
from models.base.db import Row

metadata = Row.metadata

__all__ = ["metadata", "models"]
