"""A model writes articles, and its answers get lost, or whoever asked it dies. The model is a server on loopback: all that
reaches it is answered, and so costs.
"""

import re
from functools import partial
from signal import SIGKILL
from typing import Any

from models.base.settings import Settings
from models.base.settings.working import LlmSettings
from models.jobs import enqueue
from models.orders.tables import Site
from models.orders.writing.commissions import commission
from models.usage.jobs import GiveUpLostCalls
from tests.articles.author import HEADINGS, Author
from tests.llm.server import Call, ModelServer
from tests.orders.builders import make_article, make_people
from tests.reliability.guards import HOUR
from tests.reliability.oracle import judge_effects
from tests.reliability.proxy import wire_to
from tests.reliability.stage import Fault, Stage

#: An article is a plan and its parts, each asked for once; again, where the ledger says that it is unsure of an answer,
#: and then counts what it may have cost. What is kept in the end is one answer to each, and one text, whole.
_ARTICLES = f"""
with needs as (select token, need, count(*) as answers from asked group by 1, 2),
     articles as (
     select id, substring(topic from '[0-9]+$')::bigint as token from orders_articles where topic like '% kettle %'),
     ledger as (
     select token, call.once as need,
            count(*) filter (where call.state = 'unknown') as unsure, count(answer) as kept,
            bool_and(call.state in ('ok', 'failed') or (call.state = 'unknown' and cost_cents = reserved_cents)) as is_counted
       from articles join orders_commissions ordered on ordered.article_id = articles.id
                     join model_calls call on call.subject = 'commission/' || ordered.id
      group by 1, 2)
select token, case when bool_or(answers > 1 + coalesce(unsure, 0)) then 2 else 1 end as times, 1 as most,
       bool_and(coalesce(kept = 1 and is_counted, false)) and token in (
           select token from articles join orders_versions version on article_id = articles.id
            group by 1 having count(*) = 1 and bool_and(is_qc_passed and markdown like '%{"%".join(HEADINGS)}%')) as is_settled
  from needs full join ledger using (token, need)
 group by token
"""
_IN_HAND = "queue = 'orders'"


async def answers_of_the_model_lost(stage: Stage) -> None:
    """The model has answered, and nobody heard it, or was never asked: nobody knows, so both count as paid for."""
    async with ModelServer() as model, wire_to(_port(model)) as wire:
        asked = _listen(model)
        wire.one_in = {b"[DONE]": 5, b"POST /v1/": 9}
        stage.start("dispatcher")
        stage.start("worker", **_worker(wire.port))
        await _order(stage)
        await stage.until_finished(_IN_HAND)
        await _close_the_books(stage, asked)


def killed_at_a_call(point: str) -> Fault:
    """A worker that dies before it has asked, or before it has written down what it was answered."""

    async def fault(stage: Stage) -> None:
        async with ModelServer() as model:
            asked = _listen(model)
            worker = _worker(_port(model))
            stage.start("dispatcher")
            victim = stage.start("worker", crash_at=point, **worker)
            await _order(stage)
            assert await stage.ended(victim) == -SIGKILL
            await stage.strike(victim)
            stage.start("worker", **worker)
            await stage.until_finished(_IN_HAND)
            await _close_the_books(stage, asked)

    return fault


def _port(model: ModelServer) -> int:
    return int(model.url.rpartition(":")[2])


def _listen(model: ModelServer) -> list[tuple[int, str]]:
    """Let an author answer. Returns what it is asked for: which article, and what of it, in the ledger's words."""
    asked: list[tuple[int, str]] = []

    def note(call: Call) -> None:
        article = re.search(r"descale kettle (\d+)", call.user)
        part = re.search(r"Section (\d+):", call.user)
        need = f"part-{part[1] if part else 0}/1" if "to write" in call.user else "outline"
        asked.append((int(article[1]) if article else 0, f"1/{need}"))

    model.answer = Author(before=note)
    return asked


def _worker(port: int) -> dict[str, Any]:
    """What a worker is started with that asks the model at this port."""
    environment = {
        "LLM_MODEL": "openai:gpt-5-mini",
        "LLM_OPENAI_API_KEY": "sk-of-the-suite",
        "LLM_OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "LLM_BUDGET_PER_DAY_CENTS": "0",
    }
    return {"queue": "orders", "environment": environment}


async def _order(stage: Stage) -> None:
    """Let articles be written."""
    stage.oracle = partial(judge_effects, effects=_ARTICLES, kind="orders.write_commission")
    tokens = stage.take(max(2, stage.size.jobs // 30))
    # All that they are asked is whether there is a model.
    known: dict[str, Any] = {"llm": LlmSettings(model="openai:gpt-5-mini")}
    settings = Settings.model_construct(**known)
    async with stage.transaction() as session:
        editor = (await make_people(session)).editor
        site = await session.get_one(Site, (await make_article(session)).site_id)
        for token in tokens:
            topic = f"How to descale kettle {token}"
            await commission(session, settings, site, topic, "descale a kettle", "", editor)
    stage.answered.update(tokens)


async def _close_the_books(stage: Stage, asked: list[tuple[int, str]]) -> None:
    """An hour later, calls of which nothing was heard again are given up. For the oracle: what the model was asked for."""
    await stage.fetch("create table asked (token bigint, need text)")
    await stage.fetch(
        "insert into asked select * from unnest($1::bigint[], $2::text[])", *zip(*asked, strict=True)
    )
    async with stage.transaction() as session:
        await enqueue(session, GiveUpLostCalls())
    stage.start("worker", queue="default", shift=HOUR)
    await stage.until_none(f"kind = '{GiveUpLostCalls.kind}' and finished_at is null")
