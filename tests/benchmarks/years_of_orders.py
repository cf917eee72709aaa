"""What years of selling leave in the database: one finished order's rows, a hundred thousand times.

Every row of its story is copied under other ids: draft, payment, order, texts, letters, jobs, invoice. So pages find
what they would find, and every index is as large as it would be.
"""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import asyncpg

#: The tables of a story in an order that their references allow, how to find its rows, and what of a row is counted on.
STORY: Final = (
    ("accounts_people", "id = (select person_id from orders where id = $1)", ("email",)),
    ("orders_drafts", "id = (select draft_id from orders where id = $1)", ()),
    ("payments_checkouts", "id = (select checkout_id from orders where id = $1)",
     ("session_id", "payment_intent_id", "charge_id")),
    ("orders", "id = $1", ("number",)),
    ("orders_versions", "order_id = $1", ("number",)),
    ("orders_generations", "order_id = $1", ()),
    ("orders_transitions", "order_id = $1", ("id",)),
    ("payments_invoices", "checkout_id = (select checkout_id from orders where id = $1)", ("number",)),
    ("email_messages", "about = 'order/' || $1::uuid::text", ("key", "provider_id")),
    ("jobs", "subject = 'order/' || $1::uuid::text", ("unique_key",)),
)  # fmt: skip
_KINDS: Final = "select column_name, udt_name from information_schema.columns where table_name = $1"
_STEP: Final = 1000  # more than any number in the story


async def copy(url: str, order_id: UUID, count: int) -> None:
    """Add `count` copies of this order and of everything that belongs to it."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        story = {
            table: await connection.fetch(f"select * from {table} where {which}", order_id)
            for table, which, _ in STORY
        }
        ids = {row["id"] for rows in story.values() for row in rows if isinstance(row["id"], UUID)}
        async with connection.transaction():
            # References go round in a circle, and every one of them is copied with what it refers to.
            await connection.execute("set local session_replication_role = replica")
            for table, _, counted in STORY:
                columns = await connection.fetch(_KINDS, table)
                kinds = {name: kind for name, kind in columns}  # noqa: C416 - rows are not pairs to mypy
                for row in story[table]:
                    values = [_value(name, kinds[name], value, ids, counted) for name, value in row.items()]
                    await connection.execute(
                        f"insert into {table} ({', '.join(row.keys())}) overriding system value"
                        f" select {', '.join(values)} from {table} one, generate_series(1, {count}) n"
                        f" where one.id = '{row['id']}'"
                    )
        await connection.execute("analyze")
    finally:
        await connection.close()


def _value(name: str, kind: str, value: object, ids: Collection[UUID], counted: Sequence[str]) -> str:
    """What a copy has in this column of a kind: other ids, other numbers, and the rest as it is."""
    column = f"one.{name}"
    if isinstance(value, UUID):
        return f"md5(n || '{value}')::uuid" if value in ids else column
    if name in counted and value is not None:
        return f"{column} + n * {_STEP}" if isinstance(value, int) else f"{column} || '-' || n"
    if isinstance(value, str):
        told = f"{column}::text"  # JSON is text here as well
        for one in ids:
            if str(one) in value:
                told = f"replace({told}, '{one}', md5(n || '{one}')::uuid::text)"
        return f"{told}::{kind}"
    return column
