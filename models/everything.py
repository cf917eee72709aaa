"""Every table of the product, for migrations and for the test that compares them; every set of data, for reports;
everything that happens by the clock, and everything that jobs do to the outside world.
"""

from collections.abc import Mapping
from typing import Final

import models.accounts.tables
import models.exports.tables
import models.jobs.board_tables
import models.jobs.jobs
import models.jobs.tables
import models.mail.tables
import models.notices.tables
import models.orders.care.tables
import models.orders.desk.tables
import models.orders.tables
import models.payments.tables
import models.usage.tables
from models.accounts import jobs as accounts_jobs
from models.base.db import Row
from models.exports import data_sets as platform
from models.exports import effects as exports_effects
from models.exports import jobs as exports_jobs
from models.exports.data_sets import DataSet
from models.jobs.effects import Effects, Unsure
from models.jobs.schedules import Schedule
from models.mail import effects as mail_effects
from models.mail import jobs as mail_jobs
from models.notices import effects as notices_effects
from models.notices import jobs as notices_jobs
from models.orders import data_sets as orders
from models.orders import effects as orders_effects
from models.orders import jobs as orders_jobs
from models.payments import effects as payments_effects
from models.payments import jobs as payments_jobs
from models.usage import jobs as usage_jobs

metadata = Row.metadata

DATA_SETS: Final[Mapping[str, DataSet]] = {one.name: one for one in (*orders.DATA_SETS, *platform.DATA_SETS)}

SCHEDULES: Final[tuple[Schedule, ...]] = (
    *accounts_jobs.SCHEDULES,
    *mail_jobs.SCHEDULES,
    *usage_jobs.SCHEDULES,
    *exports_jobs.SCHEDULES,
    *notices_jobs.SCHEDULES,
    *payments_jobs.SCHEDULES,
    *orders_jobs.SCHEDULES,
)

#: What jobs do to the outside world, by their kinds.
EFFECTS: Final[Mapping[str, Effects]] = {
    **mail_effects.EFFECTS,
    **exports_effects.EFFECTS,
    **notices_effects.EFFECTS,
    **payments_effects.EFFECTS,
    **orders_effects.EFFECTS,
}

#: Finds what may have happened outside, and may not.
UNSURE: Final[tuple[Unsure, ...]] = (payments_effects.unsure, mail_effects.unsure, orders_effects.unsure)

__all__ = ["DATA_SETS", "EFFECTS", "SCHEDULES", "UNSURE", "metadata", "models"]
