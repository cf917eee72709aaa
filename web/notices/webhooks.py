"""The systems that hear of events: adding them, their secrets, and what was sent to each. For admins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery

from models.accounts.audit import audit
from models.base.clock import now
from models.base.errors import Conflict, Invalid
from models.jobs.queries import Record, records_of
from models.jobs.queues import run_anyway
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.notices import endpoints
from models.notices.actions import about, send, send_again
from models.notices.deliveries import under_way
from models.notices.events import EVENTS
from models.notices.queries import deliveries, delivery
from models.notices.queries import endpoints as all_endpoints
from models.notices.rules import LONGEST_URL
from models.notices.states import DeliveryState
from web.forms import FormData, read, shown, text
from web.guards import RECENT, admin, recently_signed_in
from web.lists import listed, tabs_of
from web.pages import page, redirect
from web.params import Config, KeyRing, Submitted, Transaction, Who
from web.visitor import Visitor

LIST: Final = "/admin/webhooks"


#: What was sent, by where it stands.
STATES: Final = {
    None: "All",
    DeliveryState.WAITING: "On its way",
    DeliveryState.DELIVERED: "Delivered",
    DeliveryState.FAILED: "Given up",
}


@dataclass(frozen=True, slots=True)
class EndpointForm:
    """How an endpoint should be; its events are boxes."""

    url: Annotated[str, text("Enter the address that takes the webhooks", max_length=LONGEST_URL)]
    words: Annotated[str, text(max_length=100)] = ""


class Webhooks(Controller):
    """The endpoints of this installation. Making and rotating secrets wants a fresh sign-in."""

    path = LIST
    guards = [admin]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """Every endpoint."""
        found = await all_endpoints(session, cursor or None)
        return page(
            "notices/webhooks.html",
            visitor=visitor,
            rows=found.items,
            first=LIST if cursor else None,
            more=f"{LIST}?cursor={found.next_cursor}" if found.next_cursor else None,
        )

    @get("/new", guards=[recently_signed_in])
    async def ask(self, visitor: Who) -> Response[None]:
        """The form for another one."""
        return _form_page(visitor, None, {}, {})

    @post()
    async def add(
        self, session: Transaction, visitor: Who, form: Submitted, keys: KeyRing, settings: Config
    ) -> Response[None]:
        """Add one, and show its secret this once."""
        if not visitor.signed_in_within(RECENT):
            return redirect(f"{LIST}/new")
        try:
            wanted, allowed = _wanted(form), settings.webhooks.allowed_private_hosts
            made, secret = await endpoints.add_endpoint(session, visitor.somebody, wanted, keys, allowed)
        except Invalid as refusal:
            return _form_page(visitor, None, form, refusal.fields)
        return page("notices/secret.html", visitor=visitor, endpoint=made, secret=secret, is_new=True)

    @get("/{endpoint_id:uuid}")
    async def show(
        self,
        session: Transaction,
        visitor: Who,
        endpoint_id: FromPath[UUID],
        show: FromQuery[str] = "",
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """One endpoint, and what was sent to it: all of it, or what is in a state."""
        endpoint = await endpoints.endpoint(session, endpoint_id)
        state = next((one for one in DeliveryState if one.value == show), None)
        found = await deliveries(session, endpoint_id, cursor=cursor or None, state=state)
        here = f"{LIST}/{endpoint_id}"
        return page(
            "notices/webhook.html",
            visitor=visitor,
            endpoint=endpoint,
            events=EVENTS,
            has_old_secret=endpoint.old_secret_until is not None and endpoint.old_secret_until > now(),
            tabs=tabs_of(here, STATES, state),
            is_narrowed=state is not None,
            **listed(found, here, cursor, show=state.value if state else ""),
        )

    @get("/{endpoint_id:uuid}/form")
    async def edit(self, session: Transaction, visitor: Who, endpoint_id: FromPath[UUID]) -> Response[None]:
        """The form to change it."""
        found = await endpoints.endpoint(session, endpoint_id)
        values: FormData = {"url": [found.url], "words": [found.words], "events": list(found.events)}
        return _form_page(visitor, endpoint_id, values, {})

    @post("/{endpoint_id:uuid}")
    async def change(
        self,
        session: Transaction,
        visitor: Who,
        form: Submitted,
        settings: Config,
        endpoint_id: FromPath[UUID],
    ) -> Response[None]:
        """Let it be as the form says."""
        await endpoints.endpoint(session, endpoint_id)
        try:
            wanted, allowed = _wanted(form), settings.webhooks.allowed_private_hosts
            await endpoints.change_endpoint(session, visitor.somebody, endpoint_id, wanted, allowed)
        except Invalid as refusal:
            return _form_page(visitor, endpoint_id, form, refusal.fields)
        return redirect(f"{LIST}/{endpoint_id}", notice="Saved.")

    @get("/{endpoint_id:uuid}/secret", guards=[recently_signed_in])
    async def ask_to_rotate(
        self, session: Transaction, visitor: Who, endpoint_id: FromPath[UUID]
    ) -> Response[None]:
        """What rotating does, and the button."""
        endpoint = await endpoints.endpoint(session, endpoint_id)
        return page("notices/rotation.html", visitor=visitor, endpoint=endpoint)

    @post("/{endpoint_id:uuid}/secret")
    async def rotate(
        self, session: Transaction, visitor: Who, keys: KeyRing, endpoint_id: FromPath[UUID]
    ) -> Response[None]:
        """Another secret, shown this once. The one before signs as well for a day."""
        if not visitor.signed_in_within(RECENT):
            return redirect(f"{LIST}/{endpoint_id}/secret")
        secret = await endpoints.rotate_secret(session, visitor.somebody, endpoint_id, keys)
        endpoint = await endpoints.endpoint(session, endpoint_id)
        return page("notices/secret.html", visitor=visitor, endpoint=endpoint, secret=secret, is_new=False)

    @post("/{endpoint_id:uuid}/state")
    async def switch(
        self, session: Transaction, visitor: Who, form: Submitted, endpoint_id: FromPath[UUID]
    ) -> Response[None]:
        """Switch it on or off."""
        is_on = shown(form).get("is_on") == "yes"
        await endpoints.switch(session, visitor.somebody, endpoint_id, is_on=is_on)
        return redirect(f"{LIST}/{endpoint_id}", notice="It is on." if is_on else "It is off.")

    @post("/{endpoint_id:uuid}/removal")
    async def remove(self, session: Transaction, visitor: Who, endpoint_id: FromPath[UUID]) -> Response[None]:
        """Delete it with its log."""
        await endpoints.remove_endpoint(session, visitor.somebody, endpoint_id)
        return redirect(LIST, notice="The endpoint is removed.")

    @post("/{endpoint_id:uuid}/test")
    async def test(self, session: Transaction, visitor: Who, endpoint_id: FromPath[UUID]) -> Response[None]:
        """Send it something harmless."""
        endpoint = await endpoints.endpoint(session, endpoint_id)
        await send(session, endpoint, "endpoint.tested", {"by": str(visitor.somebody.id)})
        await audit(session, visitor.somebody, "webhook.tested", f"webhook/{endpoint_id}")
        return redirect(f"{LIST}/{endpoint_id}", notice="A test is on its way.")

    @get("/deliveries/{delivery_id:uuid}")
    async def delivery(
        self, session: Transaction, visitor: Who, delivery_id: FromPath[UUID]
    ) -> Response[None]:
        """What was sent, and what was answered."""
        sent, endpoint = await delivery(session, delivery_id)
        jobs = await records_of(session, [about(delivery_id)])
        attempts = [(record.job, line) for record in jobs[::-1] for line in record.lines]
        return page(
            "notices/delivery.html",
            visitor=visitor,
            sent=sent,
            endpoint=endpoint,
            attempts=attempts,
            # Each job counts its own from 1, and the oldest jobs may be forgotten.
            forgotten=max(sent.attempts - len(attempts), 0),
            is_backing_off=_waiting(jobs) is not None,
        )

    @post("/deliveries/{delivery_id:uuid}/sending")
    async def again(self, session: Transaction, visitor: Who, delivery_id: FromPath[UUID]) -> Response[None]:
        """Send it once more, or at once if it waits for its next attempt. Pressed twice, it shows how it stands."""
        sent, endpoint = await under_way(session, delivery_id)
        there = f"{LIST}/deliveries/{delivery_id}"
        if endpoint.disabled_at is not None:
            return redirect(there, refusal="The endpoint is off. Switch it on first.")
        said = "It is sent once more."
        try:
            await send_again(session, sent, endpoint)
        except Conflict:
            if (job := _waiting(await records_of(session, [about(sent.id)]))) is None:
                return redirect(there, refusal="It is on its way already.")
            await run_anyway(session, job.id)
            said = "It is sent now."
        await audit(
            session, visitor.somebody, "webhook.sent_again", f"webhook/{endpoint.id}", delivery=str(sent.id)
        )
        return redirect(there, notice=said)


def _waiting(records: Sequence[Record]) -> JobRow | None:
    """The job that waits for its next attempt, if one does."""
    return next((one.job for one in records if one.job.state is JobState.SCHEDULED), None)


def _wanted(form: FormData) -> endpoints.Wanted:
    typed = read(EndpointForm, form)
    return endpoints.Wanted(typed.url, typed.words, form.get("events", []))


def _form_page(
    visitor: Visitor, endpoint_id: UUID | None, values: FormData, problems: Mapping[str, str]
) -> Response[None]:
    return page(
        "notices/webhook_form.html",
        visitor=visitor,
        status=422 if problems else 200,
        endpoint_id=endpoint_id,
        values=shown(values),
        chosen=set(values.get("events", ())),
        events=EVENTS,
        problems=problems,
    )
