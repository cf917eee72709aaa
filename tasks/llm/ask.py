"""Asking a model: budget, ledger, call, check, at most one correction, and the fallback model."""

import asyncio
import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Generic, TypeVar
from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError

from models.base.crash_points import crash_point
from models.base.db import Database
from models.base.errors import Temporary
from models.usage.actions import Ending, begin_call, finish_call, let_go
from models.usage.queries import kept_answer
from models.usage.rules import CURRENCY, CallState
from tasks.llm.errors import BadAnswer, CallFailed, ContentRefused, NothingStored, RequestRejected
from tasks.llm.options import LlmOptions, ModelName
from tasks.llm.replay import Recorder, Replay
from tasks.llm.reply import Caller, Reply
from tasks.llm.request import Request, visible

log = structlog.get_logger(__name__)

Output = TypeVar("Output", bound=BaseModel)

ASKS_PER_MODEL: Final = 2
MAX_OUTPUT_TOKENS: Final = 4000
FAULTS_SHOWN: Final = 8
FREE: Final = Decimal()


@dataclass(frozen=True, slots=True)
class Answer(Generic[Output]):
    """What the model said, in the shape that was asked for.

    Tokens and cost include the correction, if one was needed, but not another model's failure before it; the
    ledger has every call.
    """

    output: Output
    input_tokens: int
    output_tokens: int
    cost_cents: Decimal
    currency: str
    model: str
    request_sha256: str


@dataclass(slots=True)
class Llm:
    """The one way to ask language models.

    Cheap to make and to keep: the libraries are imported, in a thread, when the first call goes out.
    """

    database: Database
    options: LlmOptions
    _caller: Caller | None = field(default=None, init=False)

    async def ask(
        self,
        kind: str,
        schema: type[Output],
        material: Mapping[str, str],
        *,
        subject: str,
        instructions: str,
        max_output_tokens: int = MAX_OUTPUT_TOKENS,
        once: str | None = None,
        job_id: UUID | None = None,
    ) -> Answer[Output]:
        """Ask for an answer in the shape of `schema` about the material.

        `kind` says what for (`place_backlink`) and `subject` on whose behalf (`order/<id>`): budgets are kept per
        subject. The page of the job `job_id` tells of its calls. `instructions` are ours and trusted; `material` is
        anybody's text by name, and is not.

        With `once`, a name for what the subject needs the answer for, an accepted answer is kept in the ledger, in
        the transaction that says what it cost, and given again: work that begins anew after a crash pays for nothing
        twice.

        Call it while no transaction is open. Raises `BudgetSpent`, `RequestRejected` or `ContentRefused`, which
        trying again does not change, and `Temporary` once the fallback model, if there is one, has failed too.
        """
        request = Request(
            model=self.options.model,
            instructions=instructions,
            material={name: visible(text) for name, text in material.items()},
            schema_name=schema.__name__,
            schema=schema.model_json_schema(),
            max_output_tokens=max_output_tokens,
        )
        asking = _Asking(self, kind, subject, schema, once, job_id)
        if (kept := await asking.kept()) is not None:
            return kept
        try:
            return await asking.one_model(request)
        except Temporary as first:
            if self.options.fallback is None:
                raise
            log.warning("llm_fallback", kind=kind, subject=subject, reason=str(first))
            return await asking.instead(request, self.options.fallback, first)

    async def let_go(self, subject: str, needs: Collection[str]) -> None:
        """Ask anew for what was kept under these names of `once`."""
        async with self.database.transaction() as session:
            await let_go(session, subject, needs)

    async def caller(self) -> Caller:
        """Whoever answers in the mode that is set; brings in the heavy libraries if it has to."""
        if self._caller is None:
            self._caller = await self._make_caller()
        return self._caller

    async def _make_caller(self) -> Caller:
        folder = self.options.replay_folder
        if self.options.mode == "replay" and folder is not None:
            return Replay(folder)
        # Seconds of import: in a thread, so that heartbeats and other jobs go on.
        heavy = await asyncio.to_thread(importlib.import_module, "tasks.llm.providers")
        live: Caller = heavy.Providers(self.options)
        return Recorder(live, folder) if self.options.mode == "record" and folder is not None else live


@dataclass(frozen=True, slots=True)
class _Asking(Generic[Output]):
    """One question under way."""

    llm: Llm
    kind: str
    subject: str
    schema: type[Output]
    once: str | None
    job_id: UUID | None

    async def kept(self) -> Answer[Output] | None:
        """The answer that was given before, if it is to be given once. It costs nothing more."""
        if self.once is None:
            return None
        async with self.llm.database.transaction() as session:
            call = await kept_answer(session, self.subject, self.once)
        if call is None or call.answer is None:
            return None
        return Answer(
            output=self.schema.model_validate_json(call.answer),
            input_tokens=0,
            output_tokens=0,
            cost_cents=FREE,
            currency=CURRENCY,
            model=f"{call.provider}:{call.model}",
            request_sha256=call.request_sha256,
        )

    async def one_model(self, request: Request) -> Answer[Output]:
        """Ask one model, and once more with the reason if its answer would not do."""
        replies: list[Reply] = []
        for _ in range(ASKS_PER_MODEL):
            reply, output = await self.call(request)
            replies.append(reply)
            if not isinstance(output, str):
                return Answer(
                    output=output,
                    input_tokens=sum(each.input_tokens for each in replies),
                    output_tokens=sum(each.output_tokens for each in replies),
                    cost_cents=sum((each.cost_cents for each in replies), Decimal()),
                    currency=CURRENCY,
                    model=f"{request.model.provider}:{reply.model}",
                    request_sha256=request.sha256,
                )
            request = request.corrected(reply.text, output)
        raise BadAnswer(f"{request.model} did not answer in the shape that was asked for.")

    async def instead(self, request: Request, model: ModelName, first: Temporary) -> Answer[Output]:
        """Ask the fallback model. If it is set up wrongly, the first one's passing failure stays passing."""
        try:
            return await self.one_model(replace(request, model=model))
        except Temporary as second:
            waits = [wait for wait in (first.retry_after, second.retry_after) if wait is not None]
            is_crowded = first.is_crowded or second.is_crowded
            wait = min(waits, default=None)
            raise Temporary(f"{first} {second}", retry_after=wait, is_crowded=is_crowded) from second
        except (RequestRejected, NothingStored) as second:
            log.error("llm_fallback_rejected", model=str(model), kind=second.kind, reason=second.words)  # noqa: TRY400 - expected, and chained
            raise first from second

    async def call(self, request: Request) -> tuple[Reply, Output | str]:
        """One HTTP request with its row in the ledger: the reply, and the output or what is wrong with it."""
        caller = await self.llm.caller()
        call_id = await self.begin(request, await caller.estimate_cents(request))
        crash_point("after a call to a model is claimed, before it is made")
        try:
            reply = await caller.call(request)
        except CallFailed as failure:
            state = CallState.UNKNOWN if failure.may_be_charged else CallState.FAILED
            await self.finish(
                call_id, Ending(state, None if failure.may_be_charged else FREE, error_kind=failure.kind)
            )
            raise
        except (RequestRejected, NothingStored) as failure:
            await self.finish(call_id, Ending(CallState.FAILED, FREE, error_kind=failure.kind))
            raise
        except Exception:
            await self.finish(call_id, Ending(CallState.UNKNOWN, error_kind="fault"))
            raise
        crash_point("after a model answered, before it is noted")
        output = _checked(reply, self.schema)
        error_kind = (
            "refused" if reply.ending == "refused" else "bad_answer" if isinstance(output, str) else None
        )
        ending = Ending(
            CallState.FAILED if error_kind else CallState.OK,
            reply.cost_cents,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            error_kind=error_kind,
            answer=output.model_dump_json() if self.once and isinstance(output, BaseModel) else None,
        )
        await self.finish(call_id, ending)
        if reply.ending == "refused":
            raise ContentRefused(f"{request.model} declined to work on this content.")
        return reply, output

    async def begin(self, request: Request, reserved_cents: Decimal) -> UUID:
        """Commit the row that says a call is under way."""
        async with self.llm.database.transaction() as session:
            call = await begin_call(
                session,
                subject=self.subject,
                kind=self.kind,
                provider=request.model.provider,
                model=request.model.name,
                request_sha256=request.sha256,
                reserved_cents=reserved_cents,
                budget=self.llm.options.budget,
                once=self.once,
                job_id=self.job_id,
            )
            return call.id

    async def finish(self, call_id: UUID, ending: Ending) -> None:
        """Commit how it ended."""
        async with self.llm.database.transaction() as session:
            await finish_call(session, call_id, ending)


def _checked(reply: Reply, schema: type[Output]) -> Output | str:
    """The output, or what is wrong with it in words for the model."""
    if reply.ending == "too_long":
        return "Your answer was cut off at its maximum length. Answer again, complete and much shorter."
    try:
        return schema.model_validate_json(_unfenced(reply.text))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)[:FAULTS_SHOWN]
        lines = [f"- {'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}" for fault in faults]
        return "\n".join(
            ["Your answer does not fit the schema. Answer again, with the JSON object only.", *lines]
        )


def _unfenced(text: str) -> str:
    """The text without the code fence that models like to put around JSON."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3]
    return text
