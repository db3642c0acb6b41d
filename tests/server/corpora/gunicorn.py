"""gunicorn's corpus: tests/requests/{valid,invalid}/*.http, and beside each a .py that says what it is.

The .http file has no line ends of its own: `\\r\\n`, `\\n`, `\\t`, `\\0` and `\\xHH` are spelt out. The .py
file has `request`, a dict or a list of them, or an exception, and may change gunicorn's settings by
`cfg.set`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.server.corpora.case import Case, Request

__all__ = ["cases"]

_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}


def cases(folder: Path) -> Iterator[Case]:
    for kind in ("valid", "invalid"):
        for path in sorted((folder / "tests" / "requests" / kind).glob("*.http")):
            request, settings = _read(path.with_suffix(".py"))
            expected = [_request(item) for item in request] if kind == "valid" else None
            yield Case(f"{kind}/{path.stem}", _data(path), expected, ", ".join(settings))


def _data(path: Path) -> bytes:
    text = path.read_bytes().replace(b"\n", b"")
    return re.sub(
        rb"\\(?:([rnt0])|x([0-9A-Fa-f]{2}))",
        lambda found: _ESCAPES[found[1]] if found[1] else bytes.fromhex(found[2].decode()),
        text,
    )


class _Settings(list[str]):
    """What stands for gunicorn's Config."""

    def set(self, name: str, value: Any) -> None:
        self.append(f"{name} = {value!r}")


def _read(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Run such a file, without the gunicorn that it imports."""
    settings = _Settings()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    names: dict[str, Any] = {name: name for name in imported}
    names |= {"uri": lambda text: text, "Config": lambda: settings, "cfg": settings}
    exec(compile(tree, str(path), "exec"), names)
    request = names["request"]
    return (request if isinstance(request, list) else [request]), settings


def _request(item: dict[str, Any]) -> Request:
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in item["headers"]]
    target = item["uri"]
    major, minor = item["version"]
    return Request(
        item["method"].encode(),
        target.encode() if isinstance(target, str) else target,
        f"{major}.{minor}",
        fields,
        item["body"],
    )
