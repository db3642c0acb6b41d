"""A WebSocket's path whose endpoint takes parameters and dependencies, as that of an `APIRoute` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from fastweb.dependencies.calls import Kind, describe, yields
from fastweb.dependencies.dependant import dependant_of, dependants_of
from fastweb.dependencies.plan import CallPlan
from fastweb.exceptions import FastWebError, WebSocketRequestValidationError
from fastweb.params import Depends
from fastweb.paths import compile_path
from fastweb.routing.base import PATH_MATCHES, Match, get_name
from fastweb.routing.websocket import WebSocketRoute, websocket_session
from fastweb.types import Scope
from fastweb.websockets import WebSocket, run_blocking_endpoint

__all__ = ["APIWebSocketRoute"]

#: What an unannotated parameter is, by its name.
_BARE: Final = dict.fromkeys(("websocket", "ws", "socket"), "websocket")


class APIWebSocketRoute(WebSocketRoute):
    """A path, and the endpoint that answers the WebSockets which connect to it.

    Arguments:
        path: begins with a slash; `{name}` and `{name:convertor}` are its parameters.
        endpoint: a function, async, or plain: then it runs in a thread of its own, where the WebSocket's
            methods block. An unannotated parameter called `ws` or `websocket` is the WebSocket.
        name: for `url_path_for`; by default the function's.
        dependencies: called before the endpoint, for what they do.
        dependency_overrides_provider: whose `dependency_overrides` count; by default the app's.

    Raises:
        FastWebError: path or endpoint cannot be used; the message says why.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        name: str | None = None,
        dependencies: Sequence[Depends] | None = None,
        dependency_overrides_provider: Any = None,
    ) -> None:
        if yields(endpoint):
            raise FastWebError(f"{describe(endpoint)} has a yield in it; send each value instead")
        self.path = path
        self.endpoint = endpoint
        self.name = get_name(endpoint) if name is None else name
        self.dependencies = list(dependencies or ())
        self.dependency_overrides_provider = dependency_overrides_provider
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self._names = frozenset(self.param_convertors)
        self.plan = self._make_plan(None)
        self._overridden: tuple[Any, CallPlan] | None = None
        self._session = self.app = websocket_session(self._answer)

    def _make_plan(self, overrides: Mapping[Callable[..., Any], Callable[..., Any]] | None) -> CallPlan:
        extra = dependants_of(self.dependencies, self._names, self.path)
        endpoint = dependant_of(self.endpoint, self._names, bare=_BARE)
        return CallPlan(endpoint, extra, self._names, overrides, websocket=True)

    def _plan_with(self, overrides: Mapping[Callable[..., Any], Callable[..., Any]]) -> CallPlan:
        if not overrides:
            return self.plan
        key = dict(overrides)
        if self._overridden is None or self._overridden[0] != key:
            self._overridden = (key, self._make_plan(key))
        return self._overridden[1]

    def is_plain(self) -> bool:
        """Whether this route answers as it was declared: no subclass, and nothing was put around it."""
        return type(self) is APIWebSocketRoute and self.app is self._session

    async def converse(self, app: Any, websocket: WebSocket) -> None:
        """Answer a WebSocket that matched, with all that stands around the routes of an app that has no
        middleware.

        PERF: the same as `handle` within those, in one coroutine: each that stands around the endpoint is
        gone through for each message.

        Arguments:
            app: has `handle_websocket_exception`.
        """
        scope = websocket.scope
        async with AsyncExitStack() as middleware_exits:
            scope["fastapi_middleware_astack"] = middleware_exits
            try:
                async with AsyncExitStack() as request_exits:
                    scope["fastapi_inner_astack"] = request_exits
                    async with AsyncExitStack() as function_exits:
                        scope["fastapi_function_astack"] = function_exits
                        plan, values = await self._solve(websocket)
                        if plan.endpoint.kind is Kind.PLAIN:
                            await run_blocking_endpoint(websocket, plan.call, **values)
                        else:
                            await plan.call(**values)
            except Exception as error:
                await app.handle_websocket_exception(websocket, error)

    async def _answer(self, websocket: WebSocket) -> None:
        plan, values = await self._solve(websocket)
        if plan.endpoint.kind is Kind.PLAIN:
            await run_blocking_endpoint(websocket, plan.call, **values)
        else:
            await plan.call(**values)

    async def _solve(self, websocket: WebSocket) -> tuple[CallPlan, dict[str, Any]]:
        """What calls the endpoint, and its arguments."""
        scope = websocket.scope
        provider = self.dependency_overrides_provider or scope.get("app")
        plan = self._plan_with(getattr(provider, "dependency_overrides", None) or {})
        try:
            outcome = await plan.solve_websocket(
                websocket, scope["fastapi_function_astack"], scope["fastapi_inner_astack"]
            )
        except WebSocketRequestValidationError as error:
            error.locate(self.endpoint, f"WS {scope.get('root_path', '').rstrip('/')}{self.path}")
            raise
        return plan, outcome.values

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See `BaseRoute.matches`."""
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope


PATH_MATCHES.add(APIWebSocketRoute.matches)
