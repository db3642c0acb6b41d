"""h11's corpus: what h11/tests/test_io.py reads as a server, or as the server reads a body in chunks.

Its functions are run with recorders in the place of h11 and of pytest.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.server.corpora.case import Case, Request

__all__ = ["cases"]

_HEAD = b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class _Anything:
    """Whatever h11 or pytest has that is of no interest here."""

    def __init__(self, *_args: Any, **values: Any) -> None:
        self.__dict__.update(values)

    def __call__(self, *_args: Any, **_values: Any) -> _Anything:
        return self

    def __getattr__(self, _name: str) -> _Anything:
        return self


class _Event(_Anything):
    pass


class _Data(_Event):
    pass


class _Error(Exception):
    pass


class _Recorder:
    """Takes down what the tests read."""

    def __init__(self) -> None:
        self.found: list[tuple[bytes, list[Request] | None]] = []
        self._raises = False

    @contextmanager
    def raises(self, *_args: Any, **_values: Any) -> Iterator[None]:
        self._raises = True
        yield
        self._raises = False

    def read(self, reader: object, data: bytes, expected: Any) -> None:
        if reader != ("CLIENT", "IDLE"):
            return
        self.found.append((bytes(data), None if self._raises else [_request(expected)]))

    def read_body(self, reader: object, data: bytes, expected: list[Any], do_eof: bool = False) -> None:
        if reader != "ChunkedReader":
            return
        if _Error in expected:
            self.found.append((_HEAD + data, None))
        else:
            body = b"".join(vars(event)["data"] for event in expected if isinstance(event, _Data))
            self.found.append((_HEAD + data, [Request(b"POST", b"/chunked", "1.1", None, body)]))


class _Readers(dict[Any, Any]):
    def __missing__(self, key: Any) -> Any:
        return key


def _request(event: Any) -> Request:
    fields = [(name.lower().encode(), value.encode()) for name, value in event.headers]
    version = vars(event).get("http_version", "1.1")
    return Request(event.method.encode(), event.target.encode(), version, fields, b"")


def cases(folder: Path) -> Iterator[Case]:
    path = folder / "h11" / "tests" / "test_io.py"
    tree = ast.parse(path.read_text())
    recorder = _Recorder()
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name: _Anything for alias in node.names}
    names |= {
        "pytest": _Anything(raises=recorder.raises),
        "CLIENT": "CLIENT",
        "SERVER": "SERVER",
        "IDLE": "IDLE",
        "READERS": _Readers(),
        "ChunkedReader": "ChunkedReader",
        "LocalProtocolError": _Error,
        "Request": _Event,
        "Data": _Data,
        "EndOfMessage": _Event,
    }
    recorders = {"tr": recorder.read, "t_body_reader": recorder.read_body}
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(tree, str(path), "exec", flags=0x1000000, dont_inherit=True), names)
    names |= recorders
    for name in [name for name in names if name.startswith("test_")]:
        if "riter" in name or name in ("test__obsolete_line_fold_bytes", "test_host_comes_first"):
            continue
        before = len(recorder.found)
        names[name]()
        for number, (data, expected) in enumerate(recorder.found[before:], 1):
            yield Case(f"{name}/{number}", data, expected)
