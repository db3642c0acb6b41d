"""What `import cython` gives where Cython is not installed: decorators and types that do nothing.

Only what the modules beside this one use; a test holds that. Type checkers take it for `cython` itself
(typings/cython.pyi), and Cython never sees it: it knows `cython` at translation.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

compiled = False

# C types. In plain Python they are only words, and an int does not wrap: check bounds where it matters.
bint = builtins.bool
int = builtins.int  # noqa: A001 - Cython's name for it
uint = builtins.int
long = builtins.int
longlong = builtins.int
ulonglong = builtins.int
uchar = builtins.int
Py_ssize_t = builtins.int
size_t = builtins.int
Py_UCS4 = builtins.str
double = builtins.float
# Pointers, which Python has none of.
p_char = Any
p_void = Any


def _same(function: T) -> T:
    return function


def _option(*_args: Any, **_options: Any) -> Callable[[T], T]:
    return _same


# Decorators that stand alone.
cclass = cfunc = ccall = inline = final = nogil = _same
# Decorators that are called first.
returns = locals = exceptval = freelist = no_gc = no_gc_clear = auto_pickle = total_ordering = _option  # noqa: A001
boundscheck = wraparound = cdivision = nonecheck = initializedcheck = _option
infer_types = profile = binding = _option


#: C's null pointer.
NULL: Any = None


def pointer(_type: Any) -> Any:
    """The type of pointers to a type."""
    return _type


def address(value: Any) -> Any:
    """A pointer to a variable."""
    return value


def cast(_type: Any, value: Any, typecheck: builtins.bool = False) -> Any:
    """The value as it is; compiled, it is taken for one of that C or extension type."""
    return value


@overload
def declare(_type: Any, value: T, /) -> T: ...


@overload
def declare(_type: Any = None, value: Any = None, **_names: Any) -> Any: ...


def declare(_type: Any = None, value: Any = None, **_names: Any) -> Any:
    """The value; compiled, it also types a variable."""
    return value
