"""What happens by itself when the clock says so: sessions expire, debits settle, disputes come."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from infra.sandbox import checkout, disputes, payments
from infra.sandbox.courier import Courier
from infra.sandbox.errors import ApiError
from infra.sandbox.ledger import DATABASE_AWAY, Ledger, Transaction

log = logging.getLogger("pay_sandbox")
EVERY = 0.5
"""Seconds between two looks at the clock."""


KEYS_KEPT_FOR = timedelta(hours=25)
"""Stripe keeps idempotency keys for at least 24 hours."""


class Clockwork:
    def __init__(self, ledger: Ledger, courier: Courier) -> None:
        self._ledger = ledger
        self._courier = courier

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        for beat in itertools.count():
            try:
                await self.catch_up()
                if beat % 120 == 0:
                    await self._forget_old_keys()
            except DATABASE_AWAY:
                log.exception("the clockwork cannot reach the database")
            await asyncio.sleep(EVERY)

    async def catch_up(self) -> None:
        """Do everything that is due by now, each in its own transaction."""
        due = await self._ledger.pool.fetch(
            "SELECT kind, object_id FROM due WHERE due_at <= $1 ORDER BY due_at", self._ledger.clock.now()
        )
        for row in due:
            async with self._ledger.transaction() as tx:
                await _strike(tx, row["kind"], row["object_id"])
        if due:
            self._courier.wake()

    async def _forget_old_keys(self) -> None:
        await self._ledger.pool.execute(
            "DELETE FROM idempotency_key WHERE created_at < $1", self._ledger.clock.now() - KEYS_KEPT_FOR
        )


async def _strike(tx: Transaction, kind: str, object_id: str) -> None:
    """One due thing, if it still is: somebody may have been faster, and then there is nothing left to do."""
    await tx.lock(object_id)  # before the row of `due`: the order in which everybody else takes them
    is_due = await tx.connection.fetchval(
        "DELETE FROM due WHERE kind = $1 AND object_id = $2 AND due_at <= $3 RETURNING true",
        kind,
        object_id,
        tx.now,
    )
    if not is_due:
        return
    try:
        async with tx.connection.transaction():
            if kind == "settle":
                await payments.settle(tx, object_id, is_successful=True)
            elif kind == "dispute":
                await disputes.open_dispute(tx, object_id, reason="fraudulent")
            else:
                session = await tx.hold(object_id, "checkout.session", "checkout session")
                if session["status"] == "open":
                    await checkout.close(tx, session)
    except ApiError as refusal:
        log.info("nothing to do for %s of %s: %s", kind, object_id, refusal.message)
