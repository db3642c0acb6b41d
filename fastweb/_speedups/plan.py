"""Pulling an endpoint's parameters out of a request: what of a call plan is the same for every request.

A `Parameter` says where a value stands, by which name, and what it must become; `extract` goes through them
in order, fills the call's keyword arguments, and collects every error. The two commonest kinds, plain text
and plain decimal integers, are made here; all else is the validator's, which also explains what was wrong.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.request import parse_cookies, parse_query

if cython.compiled:
    from cython.cimports.fastweb._speedups import capi

__all__ = [
    "COOKIE",
    "GENERAL",
    "HEADER",
    "INTEGER",
    "PATH",
    "QUERY",
    "TEXT",
    "Parameter",
    "Source",
    "extract",
]

PATH = 0
QUERY = 1
HEADER = 2
COOKIE = 3

_PATH = cython.declare(cython.int, 0)
_QUERY = cython.declare(cython.int, 1)
_HEADER = cython.declare(cython.int, 2)

GENERAL = 0
TEXT = 1
INTEGER = 2

_TEXT = cython.declare(cython.int, 1)
_INTEGER = cython.declare(cython.int, 2)

#: Longer ones may not fit a C long; the validator takes them.
_SHORT = cython.declare(cython.Py_ssize_t, 18)

#: Bytes of a query in which each name is looked for; a longer one is cut up once for all.
_DIRECT = cython.declare(cython.Py_ssize_t, 256)


@cython.cclass
class Parameter:
    """One parameter of a call.

    Arguments:
        source: PATH, QUERY, HEADER or COOKIE.
        name: the keyword of the call.
        alias: its name in the request; of a header field, in lower case.
        kind: TEXT (any text will do), INTEGER (an int without constraints) or GENERAL.
        many: take every value of that name, as a list.
        validate: (value, loc, errors) -> value; appends to errors and returns `undefined` where it cannot.
        default: () -> the value where there is none; None makes the parameter required.
        undefined: the sentinel for "no value".
    """

    def __init__(
        self,
        source: cython.int,
        name: str,
        alias: str,
        kind: cython.int,
        many: cython.bint,
        validate: Any,
        default: Any,
        undefined: Any,
    ) -> None:
        self.source = source
        self.kind = kind
        self.many = many
        self.name = name
        self.alias = alias
        self.alias_bytes = alias.lower().encode("latin-1", "replace")
        #: The name as it stands in a query with nothing encoded in it; None where it cannot.
        self.query_name: Any = None
        if alias and alias.isascii() and not many and "=" not in alias and "&" not in alias:
            self.query_name = alias.encode("ascii")
        self.loc = (("path", "query", "header", "cookie")[source], alias)
        self.validate = validate
        self.default = default
        self.undefined = undefined


@cython.cfunc
def _from_pairs(pairs: list, name: str, many: cython.bint) -> Any:
    """The last value of a name, or all of them; None where there is none."""
    i: cython.Py_ssize_t
    if many:
        values: list = [pair[1] for pair in pairs if pair[0] == name]
        return values if values else None
    for i in range(len(pairs) - 1, -1, -1):
        pair: tuple = pairs[i]
        if pair[0] == name:
            return pair[1]
    return None


@cython.cfunc
def _from_headers(headers: Any, name: bytes, many: cython.bint) -> Any:
    """The first value of a name, or all of them; None where there is none."""
    values: list = []
    for field in headers:
        if field[0] == name:
            value: bytes = field[1]
            text: str = value.decode("latin-1")
            if not many:
                return text
            values.append(text)
    return values if values else None


@cython.cfunc
def _cookies(headers: Any) -> dict:
    """The cookies of all Cookie fields; of two with one name, the later."""
    cookies: dict = {}
    for field in headers:
        if field[0] == b"cookie":
            cookies.update(parse_cookies(cython.cast(bytes, field[1]).decode("latin-1")))
    return cookies


@cython.cfunc
def _integer(text: str) -> Any:
    """The number of a text that is -?[0-9]{1,18}; else None."""
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = len(text)
    start: cython.Py_ssize_t = 1 if n > 1 and text[0] == "-" else 0
    if n == 0 or n > _SHORT:
        return None
    if not cython.compiled:
        return int(text) if text.isascii() and text[start:].isdigit() else None
    number: cython.longlong = 0
    for i in range(start, n):
        digit: cython.int = ord(text[i]) - 48
        if digit < 0 or digit > 9:
            return None
        number = number * 10 + digit
    return -number if start else number


@cython.cfunc
def _integer_at(query: bytes, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> Any:
    """The same of a part of a query, in compiled code alone. PERF: no text is made of it."""
    text: cython.p_char = capi.text_of(query)
    first: cython.Py_ssize_t = start + 1 if stop - start > 1 and text[start] == 45 else start
    if start == stop or stop - start > _SHORT:
        return None
    number: cython.longlong = 0
    for i in range(first, stop):
        digit: cython.int = text[i] - 48
        if digit < 0 or digit > 9:
            return None
        number = number * 10 + digit
    return number if first == start else -number


@cython.cfunc
@cython.exceptval(-1)
def _is_plain(query: bytes) -> cython.bint:
    """Whether a query is short, ASCII, and has nothing encoded in it."""
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = len(query)
    if n > _DIRECT:
        return False
    strange: cython.uchar = 0
    if cython.compiled:
        text: cython.p_char = capi.text_of(query)
        for i in range(n):
            strange |= (text[i] == 37) | (text[i] == 43) | (cython.cast(cython.uchar, text[i]) >= 128)
    else:
        strange = 37 in query or 43 in query or not query.isascii()
    return strange == 0


@cython.cfunc
@cython.exceptval(-2)
def _last_value(query: bytes, name: bytes) -> cython.Py_ssize_t:
    """Where the last value of a name begins, in a plain query; -1 for nowhere."""
    found: cython.Py_ssize_t = -1
    at: cython.Py_ssize_t = 0
    size: cython.Py_ssize_t = len(name)
    while at < len(query):
        end: cython.Py_ssize_t = _end_of_field(query, at)
        if end - at >= size:
            if capi.is_at(query, at, name, size) if cython.compiled else query.startswith(name, at):
                if end - at == size:
                    found = end
                elif query[at + size] == 61:  # "="
                    found = at + size + 1
        at = end + 1
    return found


@cython.cfunc
@cython.inline
@cython.exceptval(-1)
def _end_of_field(query: bytes, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
    end: cython.Py_ssize_t = capi.find_byte(query, at, 38) if cython.compiled else query.find(b"&", at)
    return len(query) if end < 0 else end


@cython.cclass
class Source:
    """What the parameters of one request are read from; what was cut out of it for one serves the others."""

    @cython.cfunc
    @cython.exceptval(-1)
    def read_from(self, path_params: Any, query: bytes, headers: Any) -> cython.bint:
        """`extract` tells what these are."""
        self.path_params = path_params
        self.query = query
        self.headers = headers
        self.pairs: Any = None
        self.cookies: Any = None
        self.is_plain = -1
        return True

    @cython.cfunc
    def read(self, parameter: Parameter, errors: list) -> Any:
        """The value of one parameter; the parameter's `undefined` where errors were appended instead."""
        source: cython.int = parameter.source
        raw: Any = None
        if source == _PATH:
            matched: dict = self.path_params
            if matched is not None:
                raw = matched.get(parameter.alias)
        elif source == _QUERY:
            # PERF: no pairs are made; `_descend` of the router has the figure.
            if (
                cython.compiled
                and self.pairs is None
                and parameter.query_name is not None
                and self._is_plain()
            ):
                start: cython.Py_ssize_t = _last_value(self.query, parameter.query_name)
                if start >= 0:
                    stop: cython.Py_ssize_t = _end_of_field(self.query, start)
                    if parameter.kind == _INTEGER:
                        number = _integer_at(self.query, start, stop)
                        if number is not None:
                            return number
                    raw = capi.utf8(capi.text_of(self.query) + start, stop - start)
            else:
                raw = self._from_query(parameter)
        elif source == _HEADER:
            raw = _from_headers(self.headers, parameter.alias_bytes, parameter.many)
        else:
            if self.cookies is None:
                self.cookies = _cookies(self.headers)
            raw = cython.cast(dict, self.cookies).get(parameter.alias)
            if parameter.many and not raw:
                raw = None
        if raw is None:
            if parameter.default is None:
                errors.append(
                    {"type": "missing", "loc": parameter.loc, "msg": "Field required", "input": None}
                )
                return parameter.undefined
            return parameter.default()
        if type(raw) is str:
            if parameter.kind == _TEXT:
                return raw
            if parameter.kind == _INTEGER:
                number = _integer(raw)
                if number is not None:
                    return number
        return parameter.validate(raw, parameter.loc, errors)

    @cython.cfunc
    @cython.exceptval(-1)
    def _is_plain(self) -> cython.bint:
        if self.is_plain < 0:
            self.is_plain = _is_plain(self.query)
        return self.is_plain > 0

    @cython.cfunc
    def _from_query(self, parameter: Parameter) -> Any:
        if self.pairs is None:
            self.pairs = parse_query(self.query)
        if not self.pairs:
            return None
        return _from_pairs(self.pairs, parameter.alias, parameter.many)


def extract(
    parameters: list, path_params: Any, query: bytes, headers: Any, values: dict, errors: list
) -> None:
    """Fill in the arguments of one call.

    Arguments:
        parameters: what is wanted, in order.
        path_params: what the route matched, a dict or None.
        query: the query string as it came.
        headers: pairs of bytes, names in lower case.
        values: the call's keyword arguments; filled in.
        errors: FastAPI's error dicts; every one that is found is appended.
    """
    source: Source = Source.__new__(Source)
    source.read_from(path_params, query, headers)
    for item in parameters:
        parameter: Parameter = item
        value = source.read(parameter, errors)
        if value is not parameter.undefined:
            values[parameter.name] = value
