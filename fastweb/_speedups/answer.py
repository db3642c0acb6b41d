"""Answering a request with no coroutine of our own around the endpoint's.

What a route does for each request is known when it is declared: read these values, call these coroutine
functions one after the other, write what the last has returned. An `Operation` is that list, an `Answer`
goes through it for one request, stepping the user's coroutines itself:

    STEPS       the dependencies, in order; the endpoint's arguments come last
    ENDPOINT    the endpoint
    SENDING     a response that takes time
    LAST        what ends this in any case: the general way, or an exception's handler
    ENDED

An answer is a coroutine to whoever runs it (PEP 342: send, throw, close), and so to a Task. What it cannot
do, it leaves to `Operation.general`, the same in plain Python for every kind of route: before anything of
the user's was called, so that nothing is called twice.

PERF: a coroutine of ours around the endpoint's, its `await` and its StopIteration cost 0.8 µs of the 3.8 µs
that a JSON request took between the socket's calls; this costs 0.3 µs.
"""

from types import CoroutineType, FunctionType
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.plan import Parameter, Source
from fastweb._speedups.router import FULL
from fastweb._speedups.stream import BaseStream

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi

__all__ = ["DONE", "Answer", "Dispatcher", "Operation", "Step"]

#: What `Answer.begin` returns when all is done; it may have to wait for None.
DONE = object()

_STEPS = cython.declare(cython.int, 0)
_ENDPOINT = cython.declare(cython.int, 1)
_SENDING = cython.declare(cython.int, 2)
_LAST = cython.declare(cython.int, 3)
_ENDED = cython.declare(cython.int, 4)

_FULL = cython.declare(cython.int, FULL)

_JSON = b"application/json"
_BODY = ("body",)


@cython.cclass
class Step:
    """One call, of a dependency or of the endpoint.

    Arguments:
        call: what is called; gives an awaitable.
        at_once: it gives the result itself.
        parameters: what is read of the request (`fastweb._speedups.plan.Parameter`).
        results: (keyword or None, number of the step) of the dependencies that it needs.
        requests: the keywords that take the request itself.
        body: the keyword that takes the body's value; None for none.
    """

    def __init__(
        self, call: Any, at_once: bool, parameters: list, results: list, requests: tuple, body: Any
    ) -> None:
        self.call = call
        self.at_once = at_once
        self.parameters = parameters
        self.results = results
        self.requests = requests
        self.body = body
        names: list = [name for name, _ in results if name is not None]
        for item in parameters:
            parameter: Parameter = item
            names.append(parameter.name)
        if body is not None:
            names.append(body)
        #: The keywords of a call, in the order in which the values are put together; empty where that is the
        #: order in which a function has them, too.
        self.names = (*names, *requests)
        if type(call) is FunctionType:
            code = call.__code__
            if code.co_varnames[: code.co_argcount][: len(self.names)] == self.names:
                self.names = ()


@cython.cclass
class Operation:
    """What a route does for each request.

    Arguments:
        route: whose this is; it has

            request(stream, app, path_params)     makes the request object
            general(app, request, stream)         a coroutine that answers any request
            respond(value, stream)                sends what is no plain value; None, or a coroutine that does
            invalid(errors, body)                 makes the exception for arguments that are wrong
            failed(app, request, stream, error)   a coroutine that answers an exception

        steps: the dependencies, in order; None where only the general way will do.
        endpoint: the endpoint.
        validate_body: (bytes, loc, errors) -> the value of a body that is JSON; None where no step wants one.
        encode: the endpoint's value -> the answer's body; None where the route makes a response of each.
        head: the answer's head (`fastweb._speedups.response.Head`).
        response_type: the class of values that are responses themselves.
        awaited: makes a coroutine of any other awaitable.
    """

    def __init__(
        self,
        route: Any,
        steps: Any,
        endpoint: Any,
        validate_body: Any,
        encode: Any,
        head: Any,
        response_type: Any,
        awaited: Any,
    ) -> None:
        self.route = route
        self.steps = steps
        self.endpoint = endpoint
        self.validate_body = validate_body
        self.encode = encode
        self.head = head
        self.response_type = response_type
        self.awaited = awaited


@cython.cclass
class Answer(Source):
    """The answering of one request; a coroutine, and what its parameters are read from.

    Arguments:
        app: whose request it is.
        stream: the request (`fastweb.types.Stream`).
        operation: what the route does.
        path_params: what the route's path matched; None for nothing.
    """

    def __init__(self, app: Any, stream: Any, operation: Operation, path_params: Any) -> None:
        self.set(app, stream, operation, path_params)

    @cython.cfunc
    @cython.exceptval(-1)
    def set(self, app: Any, stream: Any, operation: Operation, path_params: Any) -> cython.bint:
        """`__init__`, without the call of it: an instance is all zeros and None when it is made."""
        self._app = app
        self._stream = stream
        self._own: Any = stream if isinstance(stream, BaseStream) else None
        self._operation = operation
        self.path_params = path_params
        self._number = -1
        self._stage = _STEPS
        if not cython.compiled:
            self.headers: Any = None
            self._request: Any = None
            self._coroutine: Any = None
            self._value: Any = None
            self._results: Any = None
            self._failed: Any = None
            self._body: Any = None
            self._body_errors: Any = None
        return True

    # The coroutine

    @cython.ccall
    def begin(self) -> Any:
        """The first step: what is to be waited for, or DONE."""
        return self._drive(None)

    def send(self, value: Any) -> Any:
        """One step."""
        waited = self._drive(value)
        if waited is DONE:
            raise StopIteration
        return waited

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """An exception, usually a cancel, for what is running."""
        error = value if value is not None else kind
        if self._coroutine is None:
            self._stage = _ENDED
            raise error
        try:
            try:
                return self._coroutine.throw(error)
            except StopIteration as stop:
                self._coroutine = None
                self._take(stop.value)
        except Exception as raised:
            if self._stage == _LAST:
                raise
            self._recover(raised)
        return self.send(None)

    def close(self) -> None:
        """End before the end."""
        if self._coroutine is not None:
            self._coroutine.close()
        self._stage = _ENDED

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        # A Task's repr and get_stack look at cr_code, cr_frame, __qualname__ …
        if name.startswith("cr_") or name in ("__name__", "__qualname__"):
            return getattr(self._coroutine, name, None)
        raise AttributeError(name)

    @cython.cfunc
    def _drive(self, value: Any) -> Any:
        """Step what is running, and what comes after it, as far as nothing waits."""
        while True:
            try:
                if self._coroutine is None:
                    if self._stage == _ENDED:
                        return DONE
                    self._next()
                if not self._step(value):
                    value = self._value
                    self._value = None
                    return value
                self._coroutine = None
                value = self._value
                self._value = None
                self._take(value)
            except Exception as error:
                if self._stage == _LAST:
                    raise
                self._recover(error)
            value = None

    @cython.cfunc
    @cython.exceptval(-1)
    def _step(self, value: Any) -> cython.bint:
        """One step of what is running: whether that was the last. `_value` is what it has returned, or waits
        for.
        """
        if cython.compiled:
            # The names are answer.pxd's.
            result: cython.pointer(PyObject) = cython.NULL  # type: ignore[valid-type] # noqa: F821
            ended: cython.bint = (
                PyIter_Send(self._coroutine, value, cython.address(result)) == 0  # type: ignore[name-defined] # noqa: F821
            )
            self._value = cython.cast(object, result)
            Py_DECREF(self._value)  # type: ignore[name-defined] # noqa: F821
            return ended
        else:
            try:
                self._value = self._coroutine.send(value)
            except StopIteration as stop:
                self._value = stop.value
                return True
            return False

    @cython.cfunc
    @cython.exceptval(-1)
    def _take(self, value: Any) -> cython.bint:
        """What has run has returned this."""
        operation: Operation = self._operation
        if self._stage == _STEPS:
            self._results[self._number] = value
            self._number += 1
        elif self._stage == _ENDPOINT:
            # PERF: whether a dict is a response need not be asked, at a tenth of a microsecond.
            if operation.encode is not None and (
                type(value) is dict or not isinstance(value, operation.response_type)
            ):
                body = operation.encode(value)
                if self._own is not None:
                    self._own.respond(operation.head, body)
                else:
                    self._stream.respond(operation.head, body)
            else:
                self._coroutine = operation.route.respond(value, self._stream)
                if self._coroutine is not None:
                    self._stage = _SENDING
                    return True
            self._stage = _ENDED
        else:
            self._stage = _ENDED
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _recover(self, error: Any) -> cython.bint:
        """Leave an exception to the app."""
        self._stage = _LAST
        self._coroutine = self._operation.route.failed(self._app, self._made_request(), self._stream, error)
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _next(self) -> cython.bint:
        """Begin what comes next."""
        operation: Operation = self._operation
        step: Step
        if self._number < 0:
            self._number = 0
            if operation.steps is None or (operation.validate_body is not None and not self._read_body()):
                self._stage = _LAST
                self._coroutine = operation.route.general(self._app, self._made_request(), self._stream)
                return True
            if operation.steps:
                self._results = [None] * len(operation.steps)
        errors: list = []
        while operation.steps and self._number < len(operation.steps):
            step = operation.steps[self._number]
            values: list = []
            self._arguments(step, values, errors)
            if not errors:
                if not step.at_once:
                    self._call(step, values)
                    return True
                self._results[self._number] = self._made(step, values)
                self._number += 1
                continue
            # Not called, nor is what needs it; the others are, so that every error is found.
            if self._failed is None:
                self._failed = {}
            self._failed[self._number] = errors
            errors = []
            self._number += 1
        step = operation.endpoint
        values = []
        self._arguments(step, values, errors)
        self._stage = _ENDPOINT
        if errors:
            body = self._stream.body if operation.validate_body is not None else None
            raise operation.route.invalid(errors, body)
        self._call(step, values)
        return True

    @cython.cfunc
    def _made(self, step: Step, values: list) -> Any:
        """What a step's call gives."""
        if cython.compiled:
            made = capi.call_with(step.call, values, step.names)
        elif not step.names:
            made = step.call(*values)
        else:
            made = step.call(**dict(zip(step.names, values, strict=True)))
        return made

    @cython.cfunc
    @cython.exceptval(-1)
    def _call(self, step: Step, values: list) -> cython.bint:
        coroutine = self._made(step, values)
        if type(coroutine) is not CoroutineType:
            coroutine = self._operation.awaited(coroutine)
        self._coroutine = coroutine
        return True

    @cython.cfunc
    @cython.exceptval(-1)
    def _arguments(self, step: Step, values: list, errors: list) -> cython.bint:
        """The arguments of one step, in the order of its names; or what is wrong with them."""
        for item in step.results:
            result: tuple = item
            number: cython.Py_ssize_t = result[1]
            if self._failed is not None and number in self._failed:
                errors.extend(self._failed[number])
            elif result[0] is not None:
                values.append(self._results[number])
        if step.parameters:
            if self.headers is None:
                if self._own is not None:
                    self.read_from(self.path_params, self._own.query(), self._own.headers)
                else:
                    self.read_from(self.path_params, self._stream.query_string, self._stream.headers)
            for each in step.parameters:
                parameter: Parameter = each
                values.append(self.read(parameter, errors))
        if step.body is not None:
            if self._body_errors:
                errors.extend(self._body_errors)
            else:
                values.append(self._body)
        for _ in step.requests:
            values.append(self._made_request())
        return True

    @cython.cfunc
    def _made_request(self) -> Any:
        if self._request is None:
            self._request = self._operation.route.request(self._stream, self._app, self.path_params)
        return self._request

    @cython.cfunc
    @cython.exceptval(-1)
    def _read_body(self) -> cython.bint:
        """Read the body, where it is here and is what most are: some JSON."""
        own: BaseStream = self._own
        if own is not None:
            complete: cython.bint = own.body_complete
            body = own.whole() if complete else b""
            headers = own.headers
        else:
            complete = self._stream.body_complete
            body = self._stream.body if complete else b""
            headers = self._stream.headers
        if not body:
            return False
        for field in headers:
            if field[0] == b"content-type":
                if field[1] != _JSON:
                    return False
                break
        else:
            return False
        self._body_errors = []
        try:
            self._body = self._operation.validate_body(body, _BODY, self._body_errors)
        except (ValueError, RecursionError):
            return False  # the general way says what is wrong with it
        return True


#: What an app is asked for with each request.
_SETTINGS = ("router", "user_middleware", "dependency_overrides", "root_path")


def _attributes(owner: Any) -> dict:
    """The attributes of an instance itself, as they are from now on; nothing where they are in no dict."""
    found = getattr(owner, "__dict__", None)
    return found if type(found) is dict else {}


@cython.cclass
class Dispatcher:
    """Finds what answers a stream.

    Arguments:
        app: asked for all that may change: `root_path`, `dependency_overrides`, `user_middleware`,
            `is_direct()`, `router` with its `routes` and `matcher()`, which makes a
            `fastweb._speedups.router.Matcher` of them; and `undispatched(stream)`, the coroutine for what no
            route answers directly.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        # PERF: compiled, to look into the dict of an instance takes less than to ask for an attribute: see
        # `ProvenDump` for the figure. And where the dict has not changed there is nothing to look for.
        self._settings: dict = _attributes(app)
        self._version = 0
        self._router_version = 0
        self._overrides: Any = None
        self._middleware: Any = None
        self._is_rooted = False
        self._router: Any = None
        self._router_settings: dict = {}
        self._direct = False
        self._matcher: Any = None
        self._routes: Any = None
        self._count = 0

    @cython.ccall
    def open(self, stream: Any) -> Any:
        """Take a request (`fastweb.types.StreamApp.open_stream`)."""
        app = self._app
        found: tuple = self.find(stream)
        if found[0] == _FULL and self._direct and not self._middleware:
            route = found[1]
            operation = route.operation
            if operation is not None:
                if self._overrides:
                    operation = route.operation_with(self._overrides)
                answer: Answer = Answer.__new__(Answer)
                answer.set(app, stream, operation, found[2])
                return answer
        return app.undispatched(stream)

    @cython.ccall
    def find(self, stream: Any) -> tuple:
        """Which route answers; see `fastweb._speedups.router.Matcher.match`."""
        app = self._app
        if not (
            cython.compiled
            and self._version != 0
            and capi.version_of(self._settings) == self._version
            and capi.version_of(self._router_settings) == self._router_version
            and len(self._routes) == self._count
        ):
            self._look()
        if isinstance(stream, BaseStream):
            own: BaseStream = stream
            method: str = own.method
            path: str = own.text()
        else:
            method = stream.method
            path = stream.path
        if self._is_rooted:
            path = app.path_within(path)
        found: tuple = self._matcher.match(method, path)
        return found

    @cython.cfunc
    @cython.exceptval(-1)
    def _look(self) -> cython.bint:
        """Look at all that may have changed since the last request."""
        app = self._app
        self._version = 0
        if cython.compiled:
            version: cython.ulonglong = capi.version_of(self._settings) if self._settings else 0
            router = self._setting("router")
            self._middleware = self._setting("user_middleware")
            self._overrides = self._setting("dependency_overrides")
            self._is_rooted = bool(self._setting("root_path"))
        else:
            router = app.router
            self._middleware = app.user_middleware
            self._overrides = app.dependency_overrides
            self._is_rooted = bool(app.root_path)
        if router is not self._router:
            self._router = router
            self._router_settings = _attributes(router)
        routes = self._router_settings.get("routes")
        settled: cython.bint = routes is not None
        if not settled:
            routes = router.routes
        if routes is not self._routes or len(self._routes) != self._count:
            # They count as looked at when both are made: while they are, or where that fails, another thread
            # asks for itself.
            count: cython.Py_ssize_t = len(routes)
            matcher = router.matcher()
            self._direct = app.is_direct()
            self._matcher = matcher
            self._routes = routes
            self._count = count
        if cython.compiled and settled and all(name in self._settings for name in _SETTINGS):
            self._router_version = capi.version_of(self._router_settings)
            self._version = version
        return True

    @cython.cfunc
    def _setting(self, name: str) -> Any:
        """An attribute of the app."""
        value = self._settings.get(name)
        return getattr(self._app, name) if value is None else value
