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

__all__ = ["COOKIE", "GENERAL", "HEADER", "INTEGER", "PATH", "QUERY", "TEXT", "Parameter", "extract"]

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

    source: cython.int
    kind: cython.int
    many: cython.bint
    name: str
    alias: str
    alias_bytes: bytes
    loc: tuple
    validate: Any
    default: Any
    undefined: Any

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
@cython.inline
def _is_integer(text: str) -> cython.bint:
    """-?[0-9]{1,18}"""
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = len(text)
    start: cython.Py_ssize_t = 1 if n > 1 and text[0] == "-" else 0
    if n == 0 or n > _SHORT:
        return False
    for i in range(start, n):
        if not ("0" <= text[i] <= "9"):
            return False
    return True


@cython.ccall
def extract(
    parameters: list, path_params: Any, query: bytes, headers: Any, values: dict, errors: list
) -> Any:
    """Fill in the arguments of one call.

    Arguments:
        parameters: what is wanted, in order.
        path_params: what the route matched, a dict or None.
        query: the query string as it came.
        headers: pairs of bytes, names in lower case.
        values: the call's keyword arguments; filled in.
        errors: FastAPI's error dicts; every one that is found is appended.
    """
    pairs: list = None
    cookies: dict = None
    for item in parameters:
        parameter: Parameter = item
        source: cython.int = parameter.source
        raw: Any = None
        if source == _PATH:
            if path_params is not None:
                raw = cython.cast(dict, path_params).get(parameter.alias)
        elif source == _QUERY:
            if pairs is None:
                pairs = parse_query(query)
            if pairs:
                raw = _from_pairs(pairs, parameter.alias, parameter.many)
        elif source == _HEADER:
            raw = _from_headers(headers, parameter.alias_bytes, parameter.many)
        else:
            if cookies is None:
                cookies = _cookies(headers)
            raw = cookies.get(parameter.alias)
            if parameter.many and not raw:
                raw = None
        if raw is None:
            if parameter.default is None:
                errors.append(
                    {"type": "missing", "loc": parameter.loc, "msg": "Field required", "input": None}
                )
            else:
                values[parameter.name] = parameter.default()
            continue
        if type(raw) is str:
            if parameter.kind == _TEXT:
                values[parameter.name] = raw
                continue
            if parameter.kind == _INTEGER and _is_integer(raw):
                values[parameter.name] = int(raw)
                continue
        value = parameter.validate(raw, parameter.loc, errors)
        if value is not parameter.undefined:
            values[parameter.name] = value
