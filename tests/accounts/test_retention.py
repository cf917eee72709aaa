"""Sign-ins of long ago are forgotten, and nobody who is signed in notices."""

from datetime import timedelta

from sqlalchemy import update

from models import everything
from models.accounts.jobs import SCHEDULES, ForgetSignIns
from models.accounts.tables import Session, SignInRequest
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.jobs import enqueue
from tasks.testing import run_everything
from tasks.world import World
from tests.accounts.conftest import Browsers, requests_made, sessions_made, sign_in


async def test_sign_ins_of_long_ago_are_forgotten_and_nobody_is_signed_out(
    world: World, browsers: Browsers, database: Database, keys: Keys
) -> None:
    assert set(SCHEDULES) <= set(everything.SCHEDULES)
    long_ago = now() - timedelta(days=61)
    await sign_in(browsers(), database, keys)
    async with database.transaction() as session:
        await session.execute(update(SignInRequest).values(created_at=long_ago))
        await session.execute(update(Session).values(expires_at=long_ago))
    ada = browsers()
    await sign_in(ada, database, keys)
    async with database.transaction() as session:
        await enqueue(session, ForgetSignIns())
    await run_everything(world)
    assert len(await requests_made(database)) == 1
    assert await sessions_made(database) == 1
    assert (await ada.open("/probe/page")).response.text == "page of ada@example.com"
