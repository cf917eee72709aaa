"""The rules of signing in by letter, in the database: once, in time, in the right browser, at most five tries."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from models.accounts import actions
from models.accounts.actions import WrongCode, confirm_code, look_up_link
from models.accounts.tables import AuditEntry, Person, SignInRequest
from models.base.clock import now
from models.base.crypto import Keys, fingerprint
from models.base.db import Database, new_id
from models.base.errors import Forbidden, Invalid, TooMany
from models.mail.tables import EmailMessage
from tests.accounts.conftest import FIREFOX, Written, letters, requests_made, sessions_made, try_link


async def ask(
    database: Database,
    keys: Keys,
    email: str = "ada@example.com",
    *,
    browser: str = "adas browser",
    network: str = "198.51.100.1",
    at: datetime | None = None,
) -> SignInRequest:
    async with database.transaction() as session:
        return await actions.ask_to_sign_in(
            session,
            email=email,
            browser=browser,
            network=network,
            user_agent=FIREFOX,
            keys=keys,
            public_url="https://galley.test",
            at=at or now(),
        )


async def asked(
    database: Database, keys: Keys, email: str = "ada@example.com"
) -> tuple[SignInRequest, Written]:
    request = await ask(database, keys, email)
    newest, *_ = await letters(database, keys)
    return request, newest


async def try_code(
    database: Database,
    keys: Keys,
    request_id: UUID,
    code: str,
    *,
    browser: str = "adas browser",
    token: str | None = None,
) -> bool:
    async with database.transaction() as session:
        found = await confirm_code(
            session, request_id=request_id, code=code, browser=browser, token=token, keys=keys, at=now()
        )
        if isinstance(found, SignInRequest):
            await actions.sign_in(session, found, method="code", user_agent=FIREFOX, ip="", at=now())
            return True
        return False


# ---------------------------------------------------------------- once, and by whom
async def test_fifty_presses_at_once_make_one_session(database: Database, keys: Keys) -> None:
    _, letter = await asked(database, keys)
    presses = await asyncio.gather(*(try_link(database, letter.token) for _ in range(50)))
    assert presses.count(True) == 1
    assert await sessions_made(database) == 1


async def test_the_link_and_the_code_at_once_make_one_session(database: Database, keys: Keys) -> None:
    request, letter = await asked(database, keys)
    proofs = [
        one
        for _ in range(10)
        for one in (try_link(database, letter.token), try_code(database, keys, request.id, letter.code))
    ]
    assert (await asyncio.gather(*proofs)).count(True) == 1
    assert await sessions_made(database) == 1


async def test_fifty_presses_in_other_browsers_use_nothing_up(database: Database, keys: Keys) -> None:
    _, letter = await asked(database, keys)
    presses = [try_link(database, letter.token, browser=f"scanner {n}") for n in range(50)]
    assert not any(await asyncio.gather(*presses))
    assert await try_link(database, letter.token)


@pytest.mark.slow
async def test_three_hundred_guesses_at_once_are_five(database: Database, keys: Keys) -> None:
    request, letter = await asked(database, keys)
    wrong = letter.other_code
    guesses = await asyncio.gather(*(try_code(database, keys, request.id, wrong) for _ in range(300)))
    assert not any(guesses)
    (row,) = await requests_made(database)
    assert row.attempts == 5
    async with database.transaction() as session:
        looked_at = select(func.count()).where(AuditEntry.action == "sign_in.wrong_code")
        assert (await session.execute(looked_at)).scalar_one() == 5


async def test_guesses_over_as_many_letters_as_there_are_to_be_had_are_fifteen(
    database: Database, keys: Keys
) -> None:
    for number in range(5):
        thief = f"browser {number}"
        try:
            request = await ask(database, keys, browser=thief, network=f"203.0.113.{number}")
        except TooMany:
            continue
        newest, *_ = await letters(database, keys)
        for _ in range(6):
            assert not await try_code(database, keys, request.id, newest.other_code, browser=thief)
    assert sum(one.attempts for one in await requests_made(database)) == 15


async def test_after_five_wrong_codes_neither_the_right_one_nor_the_link_work(
    database: Database, keys: Keys
) -> None:
    request, letter = await asked(database, keys)
    for _ in range(5):
        assert not await try_code(database, keys, request.id, letter.other_code)
    assert not await try_code(database, keys, request.id, letter.code)
    assert not await try_link(database, letter.token)
    assert await sessions_made(database) == 0


async def test_the_fifth_try_may_be_the_right_one(database: Database, keys: Keys) -> None:
    request, letter = await asked(database, keys)
    for _ in range(4):
        await try_code(database, keys, request.id, letter.other_code)
    assert await try_code(database, keys, request.id, letter.code)


async def test_a_wrong_code_says_how_many_tries_are_left(database: Database, keys: Keys) -> None:
    request, letter = await asked(database, keys)
    left = []
    for _ in range(6):
        async with database.transaction() as session:
            answer = await confirm_code(
                session,
                request_id=request.id,
                code=letter.other_code,
                browser="adas browser",
                token=None,
                keys=keys,
                at=now(),
            )
            assert isinstance(answer, WrongCode)
            left.append(answer.tries_left)
    assert left == [4, 3, 2, 1, 0, 0]


async def test_a_code_works_once_and_takes_the_link_with_it(database: Database, keys: Keys) -> None:
    request, letter = await asked(database, keys)
    assert await try_code(database, keys, request.id, f"{letter.code[:3]} {letter.code[3:]}")
    assert not await try_code(database, keys, request.id, letter.code)
    assert not await try_link(database, letter.token)


async def test_the_code_of_one_request_is_wrong_for_another(database: Database, keys: Keys) -> None:
    _, first = await asked(database, keys, email="ada@example.com")
    second, letter = await asked(database, keys, email="bob@example.com")
    if first.code == letter.code:  # one in a million
        pytest.skip("two letters drew the same code")
    assert not await try_code(database, keys, second.id, first.code)
    assert not await try_code(database, keys, new_id(), first.code)


async def test_a_code_is_nothing_without_the_browser_that_asked_or_the_link(
    database: Database, keys: Keys
) -> None:
    request, letter = await asked(database, keys)
    assert not await try_code(database, keys, request.id, letter.code, browser="a strangers")
    assert not await try_code(
        database, keys, request.id, letter.code, browser="a strangers", token="another token"
    )
    (row,) = await requests_made(database)
    assert row.attempts == 0, "a stranger could use up somebody's tries"
    assert await try_code(database, keys, request.id, letter.code, browser="adas phone", token=letter.token)


@pytest.mark.parametrize("column", ["expires_at", "consumed_at", "superseded_at"])
async def test_a_link_that_is_over_does_nothing(database: Database, keys: Keys, column: str) -> None:
    request, letter = await asked(database, keys)
    async with database.transaction() as session:
        await session.execute(update(SignInRequest).values({column: now() - timedelta(seconds=1)}))
    assert not await try_link(database, letter.token)
    assert not await try_code(database, keys, request.id, letter.code)
    async with database.transaction() as session:
        assert await look_up_link(session, letter.token, now()) is None


async def test_a_link_lives_ten_minutes_by_the_servers_clock(database: Database, keys: Keys) -> None:
    _, letter = await asked(database, keys)
    assert not await try_link(database, letter.token, at=now() + timedelta(minutes=10))
    assert await try_link(database, letter.token, at=now() + timedelta(minutes=9, seconds=59))


async def test_two_servers_whose_clocks_differ_by_minutes_take_each_others_letters(
    database: Database, keys: Keys
) -> None:
    for number, skew in enumerate((timedelta(minutes=-3), timedelta(minutes=3))):
        await ask(database, keys, f"{number}@example.com", at=now() + skew)
        newest, *_ = await letters(database, keys)
        assert await try_link(database, newest.token)


async def test_a_clock_that_is_set_back_gives_no_further_letters_and_no_further_tries(
    database: Database, keys: Keys
) -> None:
    ahead = now() + timedelta(minutes=5)
    for number in range(3):
        request = await ask(database, keys, browser=f"browser {number}", at=ahead)
    with pytest.raises(TooMany):
        await ask(database, keys, browser="another")
    newest, *_ = await letters(database, keys)
    for _ in range(5):
        assert not await try_code(database, keys, request.id, newest.other_code, browser="browser 2")
    assert not await try_code(database, keys, request.id, newest.code, browser="browser 2")


async def test_a_token_that_is_cut_or_changed_is_no_token(database: Database, keys: Keys) -> None:
    _, letter = await asked(database, keys)
    token = letter.token
    changed = [
        token[:-1],
        token[1:],
        token + "A",
        token.swapcase(),
        token + "=",
        f"%{ord(token[0]):x}{token[1:]}",
        "",
    ]
    for one in changed:
        assert not await try_link(database, one)
    assert await try_link(database, token)


async def test_only_the_same_browsers_next_request_takes_the_place_of_one(
    database: Database, keys: Keys
) -> None:
    _, first = await asked(database, keys)
    await ask(database, keys, browser="somebody elses browser")
    await ask(database, keys, email="bob@example.com")
    async with database.transaction() as session:
        await session.execute(
            update(SignInRequest).values(created_at=SignInRequest.created_at - timedelta(seconds=61))
        )
        assert await look_up_link(session, first.token, now()) is not None
    _, second = await asked(database, keys)
    assert not await try_link(database, first.token)
    assert await try_link(database, second.token)


async def test_asking_again_within_a_minute_is_the_same_request(database: Database, keys: Keys) -> None:
    same = await asyncio.gather(*(ask(database, keys) for _ in range(10)))
    assert len({request.id for request in same}) == 1
    assert len(await letters(database, keys)) == 1


async def test_the_database_holds_nothing_that_opens_a_door(database: Database, keys: Keys) -> None:
    request, letter = await asked(database, keys)
    async with database.transaction() as session:
        for table in ("accounts_sign_in_requests", "email_messages", "jobs", "accounts_audit_entries"):
            rows = (await session.execute(text(f"select row_to_json(t)::text from {table} t"))).scalars()
            written = "".join(rows)
            assert letter.token not in written
            assert letter.code not in written
    # Whoever reads the table cannot even test a guess without the key.
    (row,) = await requests_made(database)
    assert row.code_mac == keys.mac("code", str(request.id), letter.code)
    assert row.code_mac != Keys("another secret key, as long as it").mac("code", str(request.id), letter.code)


async def test_a_closed_account_stays_closed(database: Database, keys: Keys) -> None:
    _, letter = await asked(database, keys)
    assert await try_link(database, letter.token)
    async with database.transaction() as session:
        await session.execute(update(Person).values(disabled_at=now()))
        await session.execute(update(SignInRequest).values(created_at=now() - timedelta(minutes=2)))
    _, letter = await asked(database, keys)
    with pytest.raises(Forbidden):
        await try_link(database, letter.token)
    assert await sessions_made(database) == 1


# ---------------------------------------------------------------- limits
async def hammer(database: Database, keys: Keys, *asks: dict[str, str]) -> int:
    """Ask all at once, and say how many letters were written."""

    async def one(values: dict[str, str]) -> bool:
        try:
            await ask(database, keys, **values)  # type: ignore[arg-type]  # words only, never the time
        except TooMany:
            return False
        return True

    return sum(await asyncio.gather(*map(one, asks)))


async def test_one_address_gets_three_letters_in_ten_minutes_whoever_asks(
    database: Database, keys: Keys
) -> None:
    crowd = [{"browser": f"b{n}", "network": f"198.51.100.{n}"} for n in range(20)]
    assert await hammer(database, keys, *crowd) == 3
    assert len(await letters(database, keys)) == 3
    with pytest.raises(TooMany) as refusal:
        await ask(database, keys, browser="one more", network="203.0.113.1")
    assert timedelta(minutes=9) < refusal.value.retry_after <= timedelta(minutes=10)


@pytest.mark.slow
async def test_one_address_gets_five_letters_an_hour_and_twenty_a_day(database: Database, keys: Keys) -> None:
    at = now()
    written = 0
    for minute in range(0, 24 * 60, 11):
        try:
            await ask(database, keys, browser=f"b{minute}", at=at + timedelta(minutes=minute))
            written += 1
        except TooMany:
            pass
        if minute == 55:
            assert written == 5
    assert written == 20


async def test_one_network_gets_ten_letters_in_ten_minutes_whomever_they_are_for(
    database: Database, keys: Keys
) -> None:
    crowd = [
        {"browser": f"b{n}", "email": f"p{n}@example.com", "network": "2001:db8::/64"} for n in range(30)
    ]
    assert await hammer(database, keys, *crowd) == 10
    assert await hammer(database, keys, {"email": "p99@example.com", "network": "2001:db8:0:1::/64"}) == 1


async def test_the_breaker_stops_everybody_above_five_hundred_a_minute(
    database: Database, keys: Keys
) -> None:
    at = now()
    async with database.transaction() as session:
        session.add_all(
            SignInRequest(
                email=f"p{n}@example.com",
                token_hash=fingerprint(str(n)),
                code_mac=b"",
                browser_hash=b"",
                network=str(n),
                created_at=at - timedelta(seconds=30),
                expires_at=at,
            )
            for n in range(500)
        )
    with pytest.raises(TooMany):
        await ask(database, keys, at=at)
    await ask(database, keys, at=at + timedelta(seconds=31))


async def test_strangers_who_ask_all_day_do_not_lock_the_owner_out(database: Database, keys: Keys) -> None:
    _, letter = await asked(database, keys)
    assert await try_link(database, letter.token)
    crowd = [{"browser": f"b{n}", "network": f"203.0.113.{n}"} for n in range(20)]
    assert await hammer(database, keys, *crowd) == 2
    _, letter = await asked(database, keys)  # from the browser that was signed in here before
    assert await try_link(database, letter.token)


async def test_what_is_refused_writes_nothing(database: Database, keys: Keys) -> None:
    for n in range(3):
        await ask(database, keys, browser=f"b{n}")
    with pytest.raises(TooMany):
        await ask(database, keys, browser="b4")
    with pytest.raises(Invalid):
        await ask(database, keys, email="a@b.com,evil@example.com")
    assert len(await requests_made(database)) == 3
    async with database.transaction() as session:
        assert (await session.execute(select(func.count()).select_from(EmailMessage))).scalar_one() == 3
