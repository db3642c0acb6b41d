"""From a call plan to what the compiled half goes through for each request (`fastweb._speedups.answer`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastweb._speedups.answer import Operation
from fastweb._speedups.answer import Step as OperationStep
from fastweb._speedups.response import Head
from fastweb.concurrency import run_in_threadpool
from fastweb.dependencies.calls import Kind
from fastweb.dependencies.plan import CallPlan, Step
from fastweb.responses import Response

__all__ = ["operation_of"]


def operation_of(
    route: Any, plan: CallPlan, encode: Callable[[Any], bytes] | None, head: Head | None
) -> Operation:
    """The operation of a route's plan.

    One that has more to do than to read values and call functions is left to the general way: something is
    to be closed after it, a response or background tasks are asked for, the body is a form or cut into
    several parameters, or a parameter is more than one plain name.

    Arguments:
        route: see `fastweb._speedups.answer.Operation`.
        plan: how its endpoint is called.
        encode, head: the answer's body for a value, and its head; None where a response is made of each.
    """
    steps: list[OperationStep] | None = None
    body = None if plan.reads_form else plan.whole_body
    if not plan.has_exits and plan.has_body == (body is not None) and all(map(_is_simple, _all(plan))):
        if sum(len(step.body) for step in _all(plan)) <= 1:
            steps = [_step(step) for step in plan.steps]
    validate = None if body is None else body.validator.validate_json
    return Operation(route, steps, _step(plan.endpoint), validate, encode, head, Response, _awaited)


def _all(plan: CallPlan) -> list[Step]:
    return [*plan.steps, plan.endpoint]


def _is_simple(step: Step) -> bool:
    return (
        step.kind in (Kind.COROUTINE, Kind.PLAIN, Kind.AT_ONCE)
        and not step.readers
        and all(kind == "request" for _, kind in step.special)
    )


def _step(step: Step) -> OperationStep:
    call = partial(run_in_threadpool, step.call) if step.kind is Kind.PLAIN else step.call
    return OperationStep(
        call,
        step.kind is Kind.AT_ONCE,
        step.parameters,
        step.results,
        tuple(name for name, kind in step.special if kind == "request"),
        step.body[0].name if step.body else None,
    )


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
