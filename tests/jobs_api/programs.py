"""Programs that ask for jobs over the API, each in the name of a person, and the site that they ask."""

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

BOTH = (Scope.JOBS_READ, Scope.JOBS_WRITE)


@dataclass(frozen=True)
class Program:
    """A program with a person's token."""

    person: Person
    client: httpx2.AsyncClient

    async def get(self, path: str, status: int = 200) -> Any:
        return _json(await self.client.get(f"/api{path}"), status)

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return _json(await self.client.post(f"/api{path}", json=body), status)

    async def ask(self, kind: str, **data: Any) -> str:
        """The id of a job that was asked for."""
        made = await self.post("/jobs", {"type": kind, "data": data}, 201)
        assert made == {"id": made["id"], "status": "pending"}
        return str(made["id"])


def _json(answer: httpx2.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    kind = "application/problem+json" if status >= 400 else "application/json"
    assert answer.headers["content-type"].startswith(kind)
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

    async def work(self, *, hurry: bool = False) -> None:
        """Let workers do what there is to do."""
        await run_everything(self.world, hurry=hurry)
