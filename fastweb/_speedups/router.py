"""Which route answers a path: a table for fixed paths, a tree of segments for the others.

The rule is FastAPI's: routes are tried in the order they were added, the first that takes both path and
method answers; where paths match and no method does, the first of those says which methods it takes (405).
`Matcher` keeps that rule without
trying one after the other:

    fixed   "/users/me"         a dict, path -> method -> route; who wins is settled when the table is frozen
    tree    "/users/{id:int}"   a node a segment; children by literal text, then by kind of parameter
    regex   "/{a}-{b}", "/{rest:path}/end", own convertors: tried in order, as they are

A path is walked once: each node of the tree stands at one depth, so it is visited at most once, and the work
is bounded by the nodes that match. Segments of the path are compared as text; the whole is linear in the
path's length.
"""

import sys
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi

__all__ = ["FULL", "NONE", "PARTIAL", "Matcher"]

NONE = 0
PARTIAL = 1
FULL = 2

_STR = cython.declare(cython.int, 0)
_INT = cython.declare(cython.int, 1)
_FLOAT = cython.declare(cython.int, 2)
_UUID = cython.declare(cython.int, 3)
_KINDS = {"str": 0, "int": 1, "float": 2, "uuid": 3}

#: Literals of a node that are compared one by one.
_FEW = cython.declare(cython.Py_ssize_t, 8)

#: How long a parameter of kind int may be: int() of more digits than this is refused by CPython (and is
#: quadratic).
_INT_DIGITS = 4300


@cython.cclass
class Route:
    """One entry: its place in the order, the methods it takes, what it stands for."""

    index: cython.Py_ssize_t
    methods: Any
    usual: Any
    payload: Any
    names: tuple
    convert: tuple
    regex: Any
    in_tree: cython.bint

    def __init__(
        self, index: int, methods: Any, payload: Any, names: tuple, convert: tuple, regex: Any
    ) -> None:
        self.index = index
        self.methods = methods
        #: One of them, by the name that a parser gives it. PERF: the same object need not be looked for.
        self.usual = sys.intern(str(min(methods))) if methods else None
        self.payload = payload
        self.names = names
        self.convert = convert
        self.regex = regex
        #: Its parameters are of built-in kinds: whatever the tree has matched can be converted.
        self.in_tree = False

    @cython.cfunc
    @cython.inline
    @cython.exceptval(-1)
    def takes(self, method: Any) -> cython.bint:
        """Whether it takes a method."""
        return self.methods is None or method is self.usual or method in self.methods


@cython.cclass
class Node:
    """One segment of the paths that share their beginning."""

    literals: dict
    texts: list
    below: list
    params: list
    rest: list
    leaves: list

    def __init__(self) -> None:
        self.literals = {}
        #: The same, as two lists.
        self.texts = []
        self.below = []
        self.params = []
        self.rest = []
        self.leaves = []

    def add(self, text: str) -> Any:
        """The child of a literal; made where there is none."""
        child = self.literals.get(text)
        if child is None:
            child = Node()
            self.literals[text] = child
            self.texts.append(text)
            self.below.append(child)
        return child

    @cython.cfunc
    def literal(self, path: str, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> Any:
        """The child of a segment of a path that is ASCII; None for none. In compiled code alone.

        PERF: where there are few of them, nothing is cut out and hashed.
        """
        if len(self.texts) > _FEW:
            return self.literals.get(path[at:stop])
        i: cython.Py_ssize_t
        for i in range(len(self.texts)):
            if capi.text_is_at(path, at, stop - at, self.texts[i]):
                return self.below[i]
        return None


@cython.cclass
class Param:
    """A child that takes any segment of its kind."""

    kind: cython.int
    node: Node

    def __init__(self, kind: cython.int, node: Node) -> None:
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
class Found:
    """What one search has found so far: of the routes that match, the first that takes the method, and the
    first that does not.
    """

    full: Route
    full_values: list
    partial: Route
    partial_values: list
    method: Any

    def __init__(self, method: Any) -> None:
        self.full = None
        self.full_values = None
        self.partial = None
        self.partial_values = None
        self.method = method

    @cython.cfunc
    def offer(self, route: Route, values: list) -> cython.bint:
        """A route whose path matches, in no particular order."""
        if route.takes(self.method):
            if self.full is None or route.index < self.full.index:
                self.full = route
                self.full_values = values
        elif self.partial is None or route.index < self.partial.index:
            self.partial = route
            self.partial_values = values
        return True


@cython.cclass
class Matcher:
    """The routes of one router. Add them all, `freeze`, then `match`, from as many threads as may be."""

    def __init__(self) -> None:
        self._root = Node()
        self._regexes: list = []
        self._fixed: dict = {}
        self._table: dict = {}
        #: The lengths of fixed paths, a bit each; those from 63 on are one.
        self._lengths = 0
        self._count = 0

    def add(self, parts: Any, methods: Any, payload: Any, regex: Any) -> None:
        """Add a route behind those that are there.

        Arguments:
            parts: the path, cut into literal strings and (name, kind, convert) for each parameter; kind is
                the name of a built-in convertor ("str", "int", "float", "uuid", "path"), None for another;
                convert makes the parameter's value of its text, None where the text is the value. A
                ValueError of an own convertor means that the path does not match.
            methods: a frozenset of upper-case method names; None takes every method.
            payload: what `match` returns for this route.
            regex: the compiled pattern of the whole path, with a named group a parameter.
        """
        params = [part for part in parts if type(part) is tuple]
        route = Route(
            self._count,
            methods,
            payload,
            tuple([part[0] for part in params]),
            tuple([part[2] for part in params]),
            regex,
        )
        self._count += 1
        if not params:
            self._fixed.setdefault("".join(parts), []).append(route)
            return
        segments = _segments(parts)
        if segments is None:
            self._regexes.append(route)
            return
        route.in_tree = True
        node: Node = self._root
        for segment in segments:
            if type(segment) is str:
                node = node.add(segment)
            elif segment[1] == "path":
                node.rest.append(route)
                return
            else:
                node = _param_child(node, _KINDS[segment[1]])
        node.leaves.append(route)

    def freeze(self) -> None:
        """Settle which route wins each fixed path, now that all are known."""
        for path, routes in self._fixed.items():
            methods: set = set()
            for item in routes:
                route: Route = item
                if route.methods is not None:
                    methods.update(route.methods)
            row: dict = {}
            for method in methods:
                found: Found = _search(self, method, path)
                if not found.full.names:
                    row[method] = (FULL, found.full.payload, None)
            self._table[path] = row
            # A 1 as it stands is C's int, of 32 bits.
            bit: cython.ulonglong = 1
            bit <<= min(len(path), 63)
            self._lengths |= bit

    @cython.ccall
    def match(self, method: str, path: str) -> Any:
        """Find the route of a request.

        Returns:
            (FULL, payload, params) for the route that answers; (PARTIAL, payload, params) where a path
            matched and no method; (NONE, None, None) where nothing did. params is a dict, None where there
            are no parameters.
        """
        row: dict = None
        # PERF: compiled, a path that can be none of them is not hashed.
        if not cython.compiled or (self._lengths >> min(len(path), 63)) & 1:
            row = self._table.get(path)
        if row is not None:
            settled = row.get(method)
            if settled is not None:
                return settled
        else:
            sure = _descend(self, method, path)
            if sure is not None:
                return sure
        found: Found = _search(self, method, path)
        if found.full is not None:
            return (FULL, found.full.payload, _params(found.full, found.full_values))
        if found.partial is not None:
            return (PARTIAL, found.partial.payload, _params(found.partial, found.partial_values))
        return (NONE, None, None)


@cython.cfunc
def _descend(matcher: Matcher, method: Any, path: str) -> Any:
    """What `match` returns for a path with parameters each segment of which leads one way only; else None.

    PERF: nothing is collected and compared. This, names looked for in the query and calls without a dict
    took a request with three parameters from 30,000 instructions to 22,200.
    """
    size: cython.Py_ssize_t = len(path)
    if size == 0 or path[0] != "/":
        return None
    node: Node = matcher._root
    values: list = []
    is_ascii: cython.bint = capi.is_ascii(path) if cython.compiled else False
    at: cython.Py_ssize_t = 1
    while True:
        if node.rest:
            return None
        stop: cython.Py_ssize_t
        segment: str = None
        below: Node
        if cython.compiled and is_ascii:
            stop = capi.find_in_text(path, at, 47)
            if stop < 0:
                stop = size
            below = node.literal(path, at, stop)
        else:
            stop = path.find("/", at)
            if stop < 0:
                stop = size
            segment = path[at:stop]
            below = node.literals.get(segment)
        if below is not None:
            if node.params:
                return None
            node = below
        else:
            if len(node.params) != 1:
                return None
            param: Param = node.params[0]
            if cython.compiled and is_ascii:
                segment = capi.part_of_text(path, at, stop)
            if not _fits(param.kind, segment):
                return None
            values.append(segment)
            node = param.node
        if stop == size:
            break
        at = stop + 1
    route: Route
    for item in node.leaves:
        route = item
        if route.takes(method):
            if matcher._regexes:
                rival: Route = matcher._regexes[0]
                if rival.index < route.index:
                    return None
            return (FULL, route.payload, _params(route, values))
    return None


@cython.cfunc
def _search(matcher: Matcher, method: Any, path: str) -> Found:
    found: Found = Found(method)
    route: Route
    fixed = cython.cast(dict, matcher._fixed).get(path)
    if fixed is not None:
        for item in fixed:
            route = item
            found.offer(route, [])
    if path and path[0] == "/":
        _walk(matcher._root, path.split("/"), 1, [], found)
    for item in matcher._regexes:
        route = item
        if found.full is not None and route.index > found.full.index:
            break
        matched = route.regex.fullmatch(path)
        if matched is not None:
            try:
                values = _converted(route, [matched[name] for name in route.names])
            except ValueError:
                continue
            found.offer(route, values)
    return found


@cython.cfunc
def _walk(node: Node, segments: list, depth: cython.Py_ssize_t, values: list, found: Found) -> cython.bint:
    """Offer every route of this node and those below it that the segments from `depth` on match."""
    param: Param
    route: Route
    if depth == len(segments):
        for child in node.leaves:
            route = child
            found.offer(route, values)
        return True
    if node.rest:
        rest: str = "/".join(segments[depth:])
        if "\n" not in rest:  # as in `.*`
            for child in node.rest:
                route = child
                found.offer(route, values + [rest])
    segment: str = segments[depth]
    below: Node = node.literals.get(segment)
    if below is not None:
        _walk(below, segments, depth + 1, values, found)
    for child in node.params:
        param = child
        if _fits(param.kind, segment):
            _walk(param.node, segments, depth + 1, values + [segment], found)
    return True


@cython.cfunc
def _converted(route: Route, texts: list) -> list:
    i: cython.Py_ssize_t
    for i in range(len(texts)):
        convert = route.convert[i]
        if convert is not None:
            texts[i] = convert(texts[i])
    return texts


@cython.cfunc
def _params(route: Route, values: list) -> Any:
    """The parameters by name; those of a route in the tree are not converted yet."""
    names: tuple = route.names
    if not names:
        return None
    params: dict = {}
    i: cython.Py_ssize_t
    for i in range(len(names)):
        value = values[i]
        if route.in_tree:
            convert = route.convert[i]
            if convert is not None:
                value = convert(value)
        params[names[i]] = value
    return params


@cython.cfunc
def _param_child(node: Node, kind: cython.int) -> Node:
    param: Param
    for child in node.params:
        param = child
        if param.kind == kind:
            return param.node
    made: Node = Node()
    node.params.append(Param(kind, made))
    return made


def _segments(parts: Any) -> Any:
    """The path as one literal or one parameter a segment.

    None where a parameter shares its segment, has its own regex, or takes several segments and is not last.
    """
    segments: list = [""]
    for part in parts:
        if isinstance(part, str):
            if isinstance(segments[-1], tuple) and not part.startswith("/"):
                return None
            pieces = part.split("/")
            if isinstance(segments[-1], str):
                segments[-1] += pieces[0]
            segments.extend(pieces[1:])
        else:
            if segments[-1] != "" or (part[1] not in _KINDS and part[1] != "path"):
                return None
            segments[-1] = part
    if any(isinstance(part, tuple) and part[1] == "path" for part in segments[:-1]):
        return None
    return segments[1:]
