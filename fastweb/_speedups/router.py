"""Which route answers a path: a table for fixed paths, a tree of segments for the others.

The rule is FastAPI's: routes are tried in the order they were added, the first that takes both path and method answers; where
paths match and no method does, the first of those says which methods it takes (405). `Matcher` keeps that rule without
trying one after the other:

    fixed   "/users/me"         a dict, path -> method -> route; who wins is settled when the table is frozen
    tree    "/users/{id:int}"   a node a segment; children by literal text, then by kind of parameter
    regex   "/{a}-{b}", "/{rest:path}/end", own convertors: tried in order, as they are

A path is walked once: each node of the tree stands at one depth, so it is visited at most once, and the work is bounded by the
nodes that match. Segments of the path are compared as text; the whole is linear in the path's length.
"""

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython  # type: ignore[no-redef]

__all__ = ["FULL", "NONE", "PARTIAL", "Matcher"]

NONE = 0
PARTIAL = 1
FULL = 2

_STR: cython.int = 0
_INT: cython.int = 1
_FLOAT: cython.int = 2
_UUID: cython.int = 3
_KINDS = {"str": 0, "int": 1, "float": 2, "uuid": 3}

#: How long a parameter of kind int may be: int() of more digits than this is refused by CPython (and is quadratic).
_INT_DIGITS = 4300


@cython.cclass
class Route:
    """One entry: its place in the order, the methods it takes, what it stands for."""

    index: cython.Py_ssize_t
    methods: object
    payload: object
    names: tuple
    convert: tuple
    regex: object

    def __init__(self, index, methods, payload, names, convert, regex):
        self.index = index
        self.methods = methods
        self.payload = payload
        self.names = names
        self.convert = convert
        self.regex = regex


@cython.cclass
class Node:
    """One segment of the paths that share their beginning."""

    literals: dict
    params: list
    rest: list
    leaves: list

    def __init__(self):
        self.literals = {}
        self.params = []
        self.rest = []
        self.leaves = []


@cython.cclass
class Param:
    """A child that takes any segment of its kind."""

    kind: cython.int
    node: Node

    def __init__(self, kind: cython.int, node: Node):
        self.kind = kind
        self.node = node


@cython.cfunc
@cython.inline
def _digits(text: str, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.bint:
    """[0-9]+ and nothing else; str.isdigit would also take other scripts' digits."""
    i: cython.Py_ssize_t
    if start >= stop:
        return False
    for i in range(start, stop):
        if not ("0" <= text[i] <= "9"):
            return False
    return True


@cython.cfunc
def _is_float(text: str) -> cython.bint:
    """[0-9]+(.[0-9]+)?"""
    dot: cython.Py_ssize_t = text.find(".")
    if dot < 0:
        return _digits(text, 0, len(text))
    return _digits(text, 0, dot) and _digits(text, dot + 1, len(text))


@cython.cfunc
def _is_uuid(text: str) -> cython.bint:
    """8-4-4-4-12 hexadecimal digits, each hyphen optional."""
    digits: cython.Py_ssize_t = 0
    after_hyphen: cython.bint = False
    for char in text:
        if char == "-":
            if after_hyphen or digits not in (8, 12, 16, 20):
                return False
            after_hyphen = True
        elif char in "0123456789abcdefABCDEF":
            digits += 1
            after_hyphen = False
            if digits > 32:
                return False
        else:
            return False
    return digits == 32 and not after_hyphen


@cython.cfunc
@cython.inline
def _fits(kind: cython.int, segment: str) -> cython.bint:
    if kind == _STR:
        return len(segment) > 0
    if kind == _INT:
        return len(segment) <= _INT_DIGITS and _digits(segment, 0, len(segment))
    if kind == _FLOAT:
        return _is_float(segment)
    return _is_uuid(segment)


@cython.cclass
class Matcher:
    """The routes of one router. Add them all, `freeze`, then `match`."""

    _routes: list
    _root: Node
    _regexes: list
    _fixed: dict
    _frozen: cython.bint
    _best: Route
    _best_values: list
    _partial: Route
    _partial_values: list

    def __init__(self):
        self._routes = []
        self._root = Node()
        self._regexes = []
        self._fixed = {}
        self._frozen = False
        self._best = None
        self._best_values = None
        self._partial = None
        self._partial_values = None

    def add(self, parts, methods, payload, regex):
        """Add a route behind those that are there.

        Arguments:
            parts: the path, cut into literal strings and (name, kind, convert) for each parameter; kind is the name of
                a built-in convertor ("str", "int", "float", "uuid", "path"), None for another; convert makes the
                parameter's value of its text, None where the text is the value.
            methods: a frozenset of upper-case method names; None takes every method.
            payload: what `match` returns for this route.
            regex: the compiled pattern of the whole path, with a named group a parameter.
        """
        params = [part for part in parts if type(part) is tuple]
        route = Route(
            len(self._routes),
            methods,
            payload,
            tuple([part[0] for part in params]),
            tuple([part[2] for part in params]),
            regex,
        )
        self._routes.append(route)
        self._frozen = False
        if not params:
            path = "".join(parts)
            self._fixed.setdefault(path, []).append(route)
            return
        segments = _segments(parts)
        if segments is None:
            self._regexes.append(route)
            return
        node: Node = self._root
        for segment in segments:
            if type(segment) is str:
                child = node.literals.get(segment)
                if child is None:
                    child = Node()
                    node.literals[segment] = child
                node = child
            elif segment[1] == "path":
                node.rest.append(route)
                return
            else:
                node = _param_child(node, _KINDS[segment[1]])
        node.leaves.append(route)

    def freeze(self):
        """Settle which route wins each fixed path, now that all are known."""
        for path, routes in list(self._fixed.items()):
            if type(routes) is dict:
                routes = routes[""]
            table: dict = {"": routes}
            methods: set = set()
            any_method: cython.bint = False
            for item in routes:
                route: Route = item
                if route.methods is None:
                    any_method = True
                else:
                    methods.update(route.methods)
            if not any_method:
                for method in methods:
                    winner: Route = self._search(method, path, routes)
                    if winner is not None and winner in routes:
                        table[method] = (FULL, winner.payload, None)
            self._fixed[path] = table
        self._frozen = True

    def match(self, method: str, path: str):
        """Find the route of a request.

        Returns:
            (FULL, payload, params) for the route that answers; (PARTIAL, payload, params) where a path matched
            and no method; (NONE, None, None) where nothing did. params is a dict, None where there are no parameters.
        """
        table = self._fixed.get(path)
        if table is not None:
            found = cython.cast(dict, table).get(method)
            if found is not None:
                return found
            return self._match(method, path, cython.cast(dict, table)[""])
        return self._match(method, path, ())

    def _match(self, method: str, path: str, fixed):
        route: Route = self._search(method, path, fixed)
        values: list
        if route is not None:
            values = self._best_values
            status = FULL
        else:
            route = self._partial
            values = self._partial_values
            status = PARTIAL
        self._best = None
        self._partial = None
        self._best_values = None
        self._partial_values = None
        if route is None:
            return (NONE, None, None)
        if not route.names:
            return (status, route.payload, None)
        return (status, route.payload, _params(route, values))

    @cython.cfunc
    def _search(self, method, path: str, fixed) -> Route:
        """The first route that takes path and method; the first that takes the path alone is left in `_partial`."""
        self._best = None
        self._partial = None
        route: Route
        for item in fixed:
            route = item
            self._offer(route, method, None)
        if path.startswith("/"):
            segments: list = path.split("/")
            self._walk(self._root, segments, 1, [], method)
        for item in self._regexes:
            route = item
            if self._best is not None and route.index > self._best.index:
                break
            found = route.regex.fullmatch(path)
            if found is not None:
                self._offer(route, method, list(found.groups()))
        return self._best

    @cython.cfunc
    def _walk(self, node: Node, segments: list, depth: cython.Py_ssize_t, values: list, method) -> cython.bint:
        child: object
        param: Param
        route: Route
        if depth == len(segments):
            for child in node.leaves:
                route = child
                self._offer(route, method, values)
            return True
        for child in node.rest:
            route = child
            self._offer(route, method, values + ["/".join(segments[depth:])])
        segment: str = segments[depth]
        child = node.literals.get(segment)
        if child is not None:
            self._walk(cython.cast(Node, child), segments, depth + 1, values, method)
        for child in node.params:
            param = child
            if _fits(param.kind, segment):
                self._walk(param.node, segments, depth + 1, values + [segment], method)
        return True

    @cython.cfunc
    def _offer(self, route: Route, method, values) -> cython.bint:
        if route.methods is None or method in route.methods:
            if self._best is None or route.index < self._best.index:
                self._best = route
                self._best_values = values
        elif self._partial is None or route.index < self._partial.index:
            self._partial = route
            self._partial_values = values
        return True


@cython.cfunc
def _params(route: Route, values: list) -> dict:
    params: dict = {}
    i: cython.Py_ssize_t
    for i in range(len(route.names)):
        convert = route.convert[i]
        value = values[i]
        params[route.names[i]] = value if convert is None else convert(value)
    return params


@cython.cfunc
def _param_child(node: Node, kind: cython.int) -> Node:
    for child in node.params:
        if cython.cast(Param, child).kind == kind:
            return cython.cast(Param, child).node
    made = Node()
    node.params.append(Param(kind, made))
    return made


def _segments(parts):
    """The path as one literal or one parameter a segment; None where a parameter shares its segment or has its own regex."""
    segments = [""]
    for part in parts:
        if type(part) is str:
            if type(segments[-1]) is not str and not part.startswith("/"):
                return None
            pieces = part.split("/")
            if type(segments[-1]) is str:
                segments[-1] += pieces[0]
            segments.extend(pieces[1:])
        else:
            if segments[-1] != "" or (part[1] not in _KINDS and part[1] != "path"):
                return None
            segments[-1] = part
    if any(type(part) is tuple and part[1] == "path" for part in segments[:-1]):
        return None
    return segments[1:]
