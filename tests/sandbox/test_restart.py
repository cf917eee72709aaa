"""A sandbox that dies forgets nothing that it owes."""

import os

import pytest

from infra.local.embedded import EmbeddedPostgres
from infra.sandbox.client import BANK, SandboxClient
from tests.sandbox.buyer import Buyer, talking
from tests.sandbox.servers import SECRET, SandboxProcess, receiving

pytestmark = pytest.mark.slow


async def test_a_killed_sandbox_keeps_payments_clock_and_owed_webhooks(postgres: EmbeddedPostgres):
    database = postgres.database(f"pay_sandbox_restart_{os.getpid()}").replace(
        "postgresql:", "postgresql+asyncpg:"
    )
    async with receiving() as receiver:
        environment = {"PAY_SANDBOX_WEBHOOK_URL": receiver.url, "PAY_SANDBOX_WEBHOOK_SECRET": SECRET}
        process = SandboxProcess(database, **environment)
        async with SandboxClient(process.url) as sandbox, talking(process.url) as client:
            buyer = Buyer(sandbox, client, receiver)
            await sandbox.shift_clock(3600)
            receiver.answers = [500] * 8
            session = await buyer.buy(card=BANK)
            before = {event.id for event in buyer.events()}
            process.kill()
            receiver.forget()
            process.restart()

            assert (await buyer.look(session.id)).payment_status == "unpaid"
            assert (await sandbox.state())["shift_seconds"] == 3600
            await sandbox.shift_clock(30)
            await buyer.told("checkout.session.completed", "checkout.session.async_payment_succeeded")
            assert before & {event.id for event in buyer.events()}
            assert (await buyer.look(session.id)).payment_status == "paid"
        process.stop()


async def test_without_control_there_is_no_control(postgres: EmbeddedPostgres):
    process = SandboxProcess(postgres.database(f"pay_sandbox_off_{os.getpid()}"), PAY_SANDBOX_CONTROL="off")
    async with SandboxClient(process.url) as sandbox:
        with pytest.raises(RuntimeError, match="404"):
            await sandbox.state()
    process.stop()
