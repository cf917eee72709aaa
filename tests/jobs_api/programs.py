"""Programs that ask for jobs over the API, each in the name of a person, and the site that they ask."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2

from models.accounts import tokens
from models.accounts.states import Role, Scope
from models.accounts.tables import Person
from models.base.clock import now
from tasks.testing import run_everything
from tasks.world import World
from tests.web.site import Site
from web.limits import Rate
from web.openapi import document
from web.reference import CHAPTERS

BOTH = (Scope.JOBS_READ, Scope.JOBS_WRITE)
PATHS = document("https://galley.example", CHAPTERS)["paths"]


def described(method: str, address: str) -> dict[str, dict[str, Any]]:
    """The answers that the description names for an operation, by their statuses."""
    for path, methods in PATHS.items():
        if method in methods and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), address.partition("?")[0]):
            answers: dict[str, dict[str, Any]] = methods[method]["responses"]
            return answers
    raise LookupError(f"{method} {address}")


def fits(answer: httpx2.Response, method: str, address: str) -> None:
    """Check that this is one of the answers that the description names for the operation, headers and all."""
    told = described(method, address).get(str(answer.status_code))
    assert told is not None, (
        f"{method} {address} answers {answer.status_code}, which nothing says: {answer.text}"
    )
    assert answer.headers["content-type"].partition(";")[0] in told["content"]
    for name in told.get("headers", ()):
        assert name in answer.headers, f"{method} {address}: {answer.status_code} without {name}"


@dataclass(frozen=True)
class Program:
    """A program with a person's token."""

    person: Person
    client: httpx2.AsyncClient

    async def get(self, path: str, status: int = 200) -> Any:
        return _json(await self.client.get(f"/api{path}"), "get", f"/api{path}", status)

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return _json(await self.client.post(f"/api{path}", json=body), "post", f"/api{path}", status)

    async def ask(self, kind: str, **data: Any) -> str:
        """The id of a job that was asked for."""
        made = await self.post("/jobs", {"type": kind, "data": data}, 201)
        assert made == {"id": made["id"], "status": "pending"}
        return str(made["id"])


def _json(answer: httpx2.Response, method: str, address: str, status: int) -> Any:
    assert answer.status_code == status, answer.text
    fits(answer, method, address)
    return answer.json()


@dataclass(frozen=True)
class Bureau:
    """A worker's world and the site before it."""

    world: World
    site: Site

    async def program(
        self, email: str, role: Role = Role.CUSTOMER, scopes: tuple[Scope, ...] = BOTH
    ) -> Program:
        """A program of this person, who need not be known yet."""
        async with self.world.database.transaction() as session:
            person = Person(email=email, role=role)
            session.add(person)
            await session.flush()
            _, secret = await tokens.make_token(
                session, person, name="Program", scopes=scopes, life=timedelta(days=1), at=now()
            )
        browser = self.site.browser(Authorization=f"Bearer {secret}", Accept="application/json")
        return Program(person, browser.client)

    async def exhaust(self, program: Program) -> None:
        """Take all that the program's person may ask for within two minutes."""
        # As one request that costs as much as all of them, and as a minute in which the test may be slow.
        whole = Rate(1, timedelta(minutes=2))
        for name in ("jobs-read", "jobs-write"):
            await self.site.app.state.limiter.take(name, str(program.person.id), whole)

    async def work(self, *, hurry: bool = False) -> None:
        """Let workers do what there is to do."""
        await run_everything(self.world, hurry=hurry)
