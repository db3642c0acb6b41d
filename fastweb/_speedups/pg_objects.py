"""From DataRow messages to objects of a class, with no dict made on the way.

A `Plan`, made once for each class and statement, says of each column what becomes of it (`Place`); a
`ClassSink` follows it for each row.
"""

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_record import Columns, Record
from fastweb._speedups.pg_rows import RecordsSink, RowError, RowSink
from fastweb._speedups.pg_wire import WireError

if cython.compiled:
    from cython.cimports.cpython.object import PyObject_GenericSetAttr as _set_plain
    from cython.cimports.fastweb._speedups import capi
    from cython.cimports.fastweb._speedups.pg_rows import left_over, read_row, wrong_count, wrong_size
    from cython.cimports.fastweb._speedups.pg_wire import int16_at, int32_at
else:
    from fastweb._speedups.pg_rows import left_over, read_row, wrong_count, wrong_size
    from fastweb._speedups.pg_wire import int16_at, int32_at

    _set_plain = object.__setattr__

__all__ = ["class_sink", "one_sink"]

#: Whether this module is.
COMPILED: bool = cython.compiled
#: The plans that are kept of a statement: classes may be made over and over, in a function.
_PLANS = cython.declare(cython.int, 100)

#: How an object is made: its fields are set one by one; of a dict; by a call with keywords; of a tuple; it is
#: the value of the one column.
OBJECT = 0
DICT = 1
CALL = 2
TUPLE = 3
SCALAR = 4
_OBJECT = cython.declare(cython.int, 0)
_DICT = cython.declare(cython.int, 1)
_CALL = cython.declare(cython.int, 2)
_TUPLE = cython.declare(cython.int, 3)
_SCALAR = cython.declare(cython.int, 4)


@cython.final
@cython.cclass
class Place:
    """What becomes of a column, or of a default, in an object. `_row_classes` makes it.

    Arguments:
        owner, field, column: the names of the class, of its field and of the column.
    """

    def __init__(self, owner: str, field: str, column: str) -> None:
        self.owner = owner
        self.field = field
        self.column = column
        #: What the field is declared as, in words.
        self.expected = ""
        #: The exact type that needs no look at the value.
        self.want: Any = None
        #: Any value will do; None will do.
        self.anything = False
        self.nullable = False
        #: It is read, and not kept.
        self.dropped = False
        #: Makes a value of another type what the field asks for; of a default, makes it.
        self.convert: Any = None
        #: Makes it of the text of a JSON document, before which there are `skip` bytes.
        self.decoder: Any = None
        self.skip = 0
        #: A default.
        self.value: Any = None
        #: Where in an instance it stands; -1 for an attribute that is set by its name.
        self.offset = -1


def _is_simple(place: Any) -> bool:
    return place.decoder is None


#: The types of the values of `pg_scalar.kinds_of`.
_TYPES: tuple = (None, bool, int, int, int, float, float, str)


def _takes(place: Any, kind: int) -> bool:
    """Whether a value of a kind goes where the place says as it is."""
    wanted = place.anything or place.want is _TYPES[kind]
    return kind != 0 and wanted and place.offset >= 0 and place.decoder is None


@cython.final
@cython.cclass
class Plan:
    """How rows become objects of a class; made once for each class and statement, by `_row_classes`.

    Arguments:
        kind: how an object is made of the values, one of the constants of this module.
        cls, name: the class, and its name in errors.
    """

    def __init__(self, kind: int, cls: Any, name: str) -> None:
        self.kind = kind
        self.cls = cls
        self.name = name
        #: One for each column.
        self.places: list = []
        #: Those of the fields that have no column.
        self.defaults: list = []
        #: The keys of the dict that `otherwise` takes, one for each column.
        self.names: tuple = ()
        #: Makes the object of the dict or tuple; of the class and keywords.
        self.made_of: Any = None
        self.made_by: Any = None
        #: Makes the object of a dict where a value is not of its field's type.
        self.otherwise: Any = None
        self.post_init: Any = None
        #: What __post_init__ is given (`dataclasses.InitVar`), with its defaults.
        self.late: tuple = ()
        self.late_defaults: dict = {}
        #: The garbage collector need not know an object in which is nothing that it knows.
        self.untracked = False

    def settle(self, columns: Columns) -> None:
        """Nothing more is said of it."""
        self.all_places = tuple(self.places)
        self.is_simple = all(map(_is_simple, self.places))
        kinds = columns.kinds
        self.kinds = bytes([kind if _takes(place, kind) else 0 for place, kind in zip(self.places, kinds)])
        # Py_TPFLAGS_HAVE_GC: a class may be without (`msgspec.Struct, gc=False`).
        self.is_gc = isinstance(self.cls, type) and bool(self.cls.__flags__ & (1 << 14))


def offset_of(slot: Any) -> int:
    """Where in an instance a slot stands, by its descriptor; -1 for one that cannot be written so."""
    return capi.slot_offset(slot) if cython.compiled else -1


@cython.cfunc
def _refuse_null(place: Place, number: cython.Py_ssize_t) -> Any:
    field = f"{place.owner}.{place.field}" if place.field else place.owner
    raise RowError(
        f"{field} is {place.expected}, and the column {place.column!r} of row {number} is NULL; "
        f"declare it `{place.expected} | None` or select what is not"
    )


@cython.cfunc
def _refuse(place: Place, number: cython.Py_ssize_t, value: Any, error: Any) -> Any:
    field = f"{place.owner}.{place.field}" if place.field else place.owner
    shown = repr(value)
    if len(shown) > 100:
        shown = shown[:97] + "..."
    raise RowError(
        f"{field} is {place.expected}, and the column {place.column!r} of row {number} holds {shown}: {error}"
    ) from error


@cython.cfunc
def _convert(place: Place, number: cython.Py_ssize_t, value: Any) -> Any:
    """What a field asks for, made of a value of another type."""
    if place.convert is not None:
        try:
            return place.convert(value)
        except (TypeError, ValueError) as error:
            _refuse(place, number, value, error)
    return value


@cython.cfunc
def _decode_document(
    place: Place, number: cython.Py_ssize_t, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t
) -> Any:
    if place.skip and (end - at < 1 or data[at] != 1):
        raise WireError("a value of jsonb begins with its version, 1")
    document: bytes = data[at + place.skip : end]
    try:
        return place.decoder(document)
    except ValueError as error:
        _refuse(place, number, document, error)


@cython.cfunc
def _new_plan(cls: Any, columns: Columns) -> Plan:
    from fastweb._speedups._row_classes import plan_of

    plan: Plan = plan_of(cls, columns)
    return plan


@cython.cfunc
def _plan_of(cls: Any, columns: Columns) -> Plan:
    try:
        plan: Plan = columns.plans.get(cls)
    except TypeError:
        # Annotated[int, []] has no hash.
        return _new_plan(cls, columns)
    if plan is None:
        plan = _new_plan(cls, columns)
        if len(columns.plans) >= _PLANS:
            columns.plans.clear()
        columns.plans[cls] = plan
    return plan


@cython.final
@cython.cclass
class ClassSink(RowSink):
    """A list of objects of a class; or the first alone, or None."""

    cls: object
    plan: Plan
    rows: list
    one: cython.bint

    def __init__(self, cls: Any, one: bool) -> None:
        RowSink.__init__(self)
        self.cls = cls
        self.rows = []
        self.one = one

    @cython.ccall
    def begin(self, columns: Columns) -> object:
        self.columns = columns
        self.plan = _plan_of(self.cls, columns)
        return None

    @cython.ccall
    def add(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        self.count += 1
        if self.one and self.count > 1:
            return None
        if end - at < 2 or int16_at(data, at) != self.columns.count:
            wrong_count(self.columns, data, at, end)
        if self.plan.kind == _OBJECT:
            made: object = self.fill(data, at, end)
            if made is None:
                made = self.make_otherwise(data, at, end)
        else:
            made = self.make(data, at, end)
        self.rows.append(made)
        return None

    @cython.cfunc
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def fill(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        """An instance whose fields are set one by one; None where a value is not of its field's type, and
        the class has its own way with such.

        PERF: of 4 fields, 120 ns, where msgspec.convert takes 500 ns for the dict that it needs as well.
        """
        plan: Plan = self.plan
        places: tuple = plan.all_places
        codecs: tuple = self.columns.codecs
        tracked: cython.bint = not plan.untracked
        late: dict = None
        i: cython.Py_ssize_t
        size: cython.Py_ssize_t
        if plan.late:
            late = plan.late_defaults.copy()
        if cython.compiled:
            made: object = capi.allocated(plan.cls)
            if plan.is_gc:
                capi.untrack(made)
            kind: cython.int
            kinds: cython.p_char = capi.text_of(plan.kinds)
            text: cython.p_char = capi.text_of(data)
            offset: cython.Py_ssize_t
        else:
            made = object.__new__(plan.cls)
        at += 2
        for i in range(self.columns.count):
            if end - at < 4:
                wrong_size(4, end - at)
            size = int32_at(data, at)
            at += 4
            if cython.compiled:
                # PERF: values that need no look; a row of 4 fields takes 73 ns instead of 82.
                kind = kinds[i]
                if kind != 0 and 0 <= size <= end - at:
                    atom: cython.p_void = capi.atom(kind, text + at, size)
                    if atom != cython.NULL:
                        offset = cython.cast(Place, places[i]).offset
                        capi.give_slot(made, offset, atom)
                        at += size
                        continue
            place: Place = cython.cast(Place, places[i])
            if size < 0:
                if size != -1:
                    wrong_size(size, end - at)
                if not place.nullable:
                    if plan.otherwise is not None:
                        return None
                    _refuse_null(place, self.count)
                value: object = None
            else:
                if size > end - at:
                    wrong_size(size, end - at)
                if place.decoder is not None:
                    value = _decode_document(place, self.count, data, at, at + size)
                else:
                    value = cython.cast(Codec, codecs[i]).decode(data, at, at + size)
                    if not place.anything and type(value) is not place.want:
                        if plan.otherwise is not None:
                            return None
                        value = _convert(place, self.count, value)
                at += size
            if place.offset >= 0:
                if cython.compiled:
                    capi.fill_slot(made, place.offset, value)
                    tracked = tracked or capi.may_be_tracked(value)
            elif late is not None and place.field in late:
                late[place.field] = value
            elif not place.dropped:
                _set_plain(made, place.field, value)
        if at != end:
            left_over(end - at)
        for place in plan.defaults:
            value = place.value if place.convert is None else place.convert()
            if place.offset >= 0:
                if cython.compiled:
                    capi.fill_slot(made, place.offset, value)
                    tracked = tracked or capi.may_be_tracked(value)
            else:
                _set_plain(made, place.field, value)
        if cython.compiled and tracked and plan.is_gc:
            capi.track(made)
        if plan.post_init is not None:
            if late is not None:
                plan.post_init(made, **late)
            else:
                plan.post_init(made)
        return made

    @cython.cfunc
    def make_otherwise(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        row: tuple = read_row(self.columns, data, at, end)
        try:
            return self.plan.otherwise(dict(zip(self.plan.names, row)))
        except ValueError as error:
            raise RowError(f"row {self.count} does not fit {self.plan.name}: {error}") from error

    @cython.cfunc
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def make(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        """An object of the row's values: each converted, then all of them at once."""
        plan: Plan = self.plan
        if not cython.compiled and plan.is_simple:
            return self.make_simply(data, at, end)
        places: tuple = plan.all_places
        codecs: tuple = self.columns.codecs
        by_name: cython.bint = plan.kind == _DICT or plan.kind == _CALL
        values: list = []
        named: dict = {}
        i: cython.Py_ssize_t
        size: cython.Py_ssize_t
        at += 2
        for i in range(self.columns.count):
            place: Place = places[i]
            if end - at < 4:
                wrong_size(4, end - at)
            size = int32_at(data, at)
            at += 4
            if size < 0:
                if size != -1:
                    wrong_size(size, end - at)
                if not place.nullable and not place.anything:
                    _refuse_null(place, self.count)
                value: object = None
            else:
                if size > end - at:
                    wrong_size(size, end - at)
                if place.decoder is not None:
                    value = _decode_document(place, self.count, data, at, at + size)
                else:
                    value = cython.cast(Codec, codecs[i]).decode(data, at, at + size)
                    if not place.anything and type(value) is not place.want:
                        value = _convert(place, self.count, value)
                at += size
            if not by_name:
                values.append(value)
            elif not place.dropped:
                named[place.field] = value
        if at != end:
            left_over(end - at)
        return self.made_of(values, named)

    @cython.cfunc
    def make_simply(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> object:
        """The same where no document is decoded in its own way. PERF: a fifth less time in plain Python."""
        plan: Plan = self.plan
        row = read_row(self.columns, data, at, end)
        named: dict = {}
        values: list = []
        for place, value in zip(plan.all_places, row):
            if not place.anything and type(value) is not place.want:
                if value is not None:
                    value = _convert(place, self.count, value)
                elif not place.nullable:
                    _refuse_null(place, self.count)
            values.append(value)
            if not place.dropped:
                named[place.field] = value
        return self.made_of(values, named)

    @cython.cfunc
    def made_of(self, values: list, named: dict) -> object:
        """An object of its values, or of those that have names."""
        plan: Plan = self.plan
        if plan.kind == _SCALAR:
            return values[0]
        if plan.kind == _TUPLE:
            return tuple(values) if plan.made_of is None else plan.made_of(values)
        if plan.kind == _CALL:
            if plan.made_by is not None:
                return plan.made_by(plan.cls, **named)
            return plan.cls(**named)
        if plan.made_of is None:
            return named
        try:
            return plan.made_of(named)
        except ValueError as error:
            raise RowError(f"row {self.count} does not fit {plan.name}: {error}") from error

    @cython.ccall
    def forget(self) -> object:
        self.count = 0
        self.rows = []
        return None

    @cython.ccall
    def finish(self) -> object:
        if self.one:
            return self.rows[0] if self.rows else None
        return self.rows


def one_sink(cls: Any = None) -> RowSink:
    """Makes a Record of the first row, or an object of a class; None where there is no row."""
    return RecordsSink(True) if cls is None or cls is Record else ClassSink(cls, True)


def class_sink(cls: Any) -> RowSink:
    """Makes a list of objects of a class.

    That is a `msgspec.Struct`, a dataclass, a `fastweb.BaseModel`, a model of pydantic, a TypedDict, a
    NamedTuple, `dict` or `tuple`; or the type of the values of the only column.
    """
    return RecordsSink(False) if cls is Record else ClassSink(cls, False)
