"""The step between msgspec's decoding of a model and its use: defaults put in, and a note of the fields that
were not given.

A model field that may be left out has the default `msgspec.UNSET` as far as msgspec knows; `make_post_init`
makes the function that msgspec calls for each new instance.
"""

from collections.abc import Callable
from typing import Any

import msgspec

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

#: The key in an instance's `__dict__` under which the bits of the fields stand that were not given.
UNSET_BITS = "__fastweb_unset__"

_UNSET = msgspec.UNSET
_Struct = msgspec.Struct
_set = _Struct.__setattr__


if cython.compiled:
    from cython.cimports.cpython.object import PyObject_GenericSetAttr as _set_plain
    from cython.cimports.fastweb._speedups import capi


def set_field(self: Any, name: str, value: Any) -> None:
    """Set an attribute, whatever `__setattr__` of the class would say to it."""
    if cython.compiled:
        # PERF: 94 ns by way of `Struct.__setattr__`, 30 ns from C.
        capi.set_as(_Struct, self, name, value)
    else:
        try:
            _set(self, name, value)
        except TypeError:
            # A plain class stands before BaseModel among the bases, and Python's check knows nothing of
            # msgspec's layout.
            object.__setattr__(self, name, value)


if not cython.compiled:
    _set_plain = set_field


def make_post_init(
    names: tuple,
    values: tuple,
    getters: tuple,
    bits: tuple,
) -> Callable[[Any], None]:
    """The `__post_init__` of a model class.

    Arguments:
        names: the fields that have a default.
        values: the defaults.
        getters: for each field None, or what is called for its default.
        bits: for each field its bit in the note.
    """
    count: cython.Py_ssize_t = len(names)

    def fill(self: Any) -> None:
        i: cython.Py_ssize_t
        missing: object = 0
        for i in range(count):
            name = names[i]
            if getattr(self, name) is _UNSET:
                missing |= bits[i]
                getter = getters[i]
                if getter is None:
                    # PERF: the generic setter, 3 times as fast as Struct's, does not hand the instance to the
                    # garbage collector; a plain value does not need it.
                    _set_plain(self, name, values[i])
                else:
                    set_field(self, name, getter())
        if missing:
            _set_plain(self, UNSET_BITS, missing)

    return fill
