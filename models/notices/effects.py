"""The letters and webhooks that a job has sent."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.effects import Effect, Effects, Known
from models.jobs.tables import JobRow
from models.mail.effects import own_letters
from models.notices.jobs import DeliverWebhook, Email
from models.notices.states import DeliveryState
from models.notices.tables import Delivery


async def _delivery(session: AsyncSession, job: JobRow) -> list[Effect]:
    """A webhook may arrive in each attempt; its receiver knows it again by its `webhook-id`."""
    sent = await session.get(Delivery, DeliverWebhook.read(job.args).delivery_id)
    if sent is None:
        return []
    known = Known.ONCE if sent.attempts == 1 else Known.MAYBE_AGAIN
    if sent.state is not DeliveryState.DELIVERED:
        known = Known.UNSURE if sent.attempts else Known.NOT_YET
    words = f"It is {sent.state.value}: sent {sent.attempts} times; its receiver knows it again by the webhook-id."
    return [
        Effect(f"webhook/{sent.endpoint_id}", job.kind, f"webhook {sent.event}", str(sent.id), known, words)
    ]


EFFECTS: Final[Mapping[str, Effects]] = {DeliverWebhook.kind: _delivery, Email.kind: own_letters}
