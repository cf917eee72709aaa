"""The main job, from a payment to a published link, read from top to bottom."""

from models.base.db import Database
from models.orders.quality import check_integration
from models.orders.reviewing import approve, regenerate, send_back, submit
from models.orders.states import OrderStatus, RegenerateReason
from models.payments.states import PaymentState
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import (
    ANCHOR,
    MARKDOWN,
    TARGET,
    history_of,
    letters_of,
    make_shop,
    published_text,
    refunds_of,
    the_order,
    versions_of,
)


async def test_a_placement_is_paid_written_looked_at_written_again_reviewed_and_published(
    world: World, database: Database
) -> None:
    shop = await make_shop(database)
    customer, editor = shop.people.owner, shop.people.editor

    # The payment has arrived. A worker makes the order of it and places the link.
    await run_everything(world)
    order = await the_order(database, shop.draft.id)
    assert (order.status, order.payment_state, order.generation) == (
        OrderStatus.QUALITY_CHECK,
        PaymentState.PAID,
        1,
    )
    [first] = await versions_of(database, order.id)
    assert check_integration(MARKDOWN, first.markdown, url=TARGET, anchor=ANCHOR).passed
    assert await published_text(database, shop.article.id) == MARKDOWN

    # The customer would rather have it elsewhere.
    async with database.transaction() as session:
        await regenerate(session, world.settings, order.id, customer, [RegenerateReason.TOO_EARLY])
    await run_everything(world)
    first, second = await versions_of(database, order.id)
    assert second.markdown != first.markdown
    assert second.base_version_id == first.base_version_id
    assert check_integration(MARKDOWN, second.markdown, url=TARGET, anchor=ANCHOR).passed

    # They hand in the second, the editor sends it back, they hand in the first, and that is published.
    async with database.transaction() as session:
        await submit(session, world.settings, order.id, second.id, customer, latest_seen=second.id)
    async with database.transaction() as session:
        await send_back(session, world.settings, order.id, editor, "The first one read better.")
    async with database.transaction() as session:
        await submit(session, world.settings, order.id, first.id, customer)
    async with database.transaction() as session:
        await approve(session, world.settings, order.id, editor)
    await run_everything(world)

    order = await the_order(database, shop.draft.id)
    assert (order.status, order.payment_state, order.published_version_id) == (
        OrderStatus.COMPLETED,
        PaymentState.PAID,
        first.id,
    )
    assert await published_text(database, shop.article.id) == first.markdown
    assert await refunds_of(database) == []
    s = OrderStatus
    assert await history_of(database, order.id) == [
        (None, s.PROCESSING, "paid", "stripe"),
        (s.PROCESSING, s.QUALITY_CHECK, "written", "writer"),
        (s.QUALITY_CHECK, s.PROCESSING, "regenerate", "customer"),
        (s.PROCESSING, s.QUALITY_CHECK, "written", "writer"),
        (s.QUALITY_CHECK, s.ADMIN_REVIEW, "submitted", "customer"),
        (s.ADMIN_REVIEW, s.QUALITY_CHECK, "sent back", "editor"),
        (s.QUALITY_CHECK, s.ADMIN_REVIEW, "submitted", "customer"),
        (s.ADMIN_REVIEW, s.COMPLETED, "approved", "editor"),
    ]
    assert [kind for kind, to in await letters_of(database) if to == customer.email] == [
        "request_received",
        "backlink_ready",
        "regeneration_ready",
        "submitted_for_review",
        "sent_back",
        "submitted_for_review",
        "published",
    ]
    assert [kind for kind, to in await letters_of(database) if to == editor.email] == [
        "admin_new_review",
        "admin_new_review",
    ]
