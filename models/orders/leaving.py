"""What orders say when somebody wants to leave, and what they forget of them: what was published stays."""

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.leaving import forgets, keeps, nobody
from models.accounts.tables import Person
from models.orders.care.tables import Message
from models.orders.rules import order_number
from models.orders.states import OrderStatus
from models.orders.tables import Draft, Order

_OVER = (OrderStatus.COMPLETED, OrderStatus.FAILED)
_GONE = "(Deleted with the account.)"


@keeps
async def in_work(session: AsyncSession, person: Person) -> str | None:
    """Orders that are not over."""
    query = select(func.min(Order.number), func.count())
    number, count = (
        await session.execute(query.where(Order.person_id == person.id, Order.status.not_in(_OVER)))
    ).one()
    if count == 0:
        return None
    first = f"Order {order_number(number)}"
    if count == 1:
        return f"{first} is in work. Wait until that is done, or cancel."
    return f"{first} and {count - 1} more are in work. Wait until they are done, or cancel."


@forgets
async def forget(session: AsyncSession, person: Person) -> None:
    """Drafts go, those too that they began before they had signed in; of what was ordered, their words to us."""
    ordered = exists().where(Order.draft_id == Draft.id)
    begun = Draft.person_id.is_(None) & (Draft.email == person.email)
    await session.execute(delete(Draft).where(or_(Draft.person_id == person.id, begun), ~ordered))
    blank = {"email": nobody(person), "notes": ""}
    await session.execute(update(Draft).where(Draft.person_id == person.id).values(blank))
    mine = Order.person_id == person.id
    await session.execute(update(Order).where(mine).values(notes=""))
    written = (Message.order_id.in_(select(Order.id).where(mine)), Message.author_id == person.id)
    await session.execute(update(Message).where(*written).values(words=_GONE))
