"""httptools' corpus: the requests that tests/test_parser.py feeds to its parser, where they are literals."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.server.corpora.case import Case, Request

__all__ = ["cases"]


def cases(folder: Path) -> Iterator[Case]:
    tree = ast.parse((folder / "tests" / "test_parser.py").read_text())
    constants = _constants(tree.body, {})
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "TestRequestParser":
            for function in node.body:
                if isinstance(function, ast.FunctionDef):
                    yield from _case(function, constants)


def _case(function: ast.FunctionDef, constants: dict[str, Any]) -> Iterator[Case]:
    names = _constants(function.body, constants)
    calls = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "feed_data"
    ]
    pieces = [_value(call.args[0], names) for call in sorted(calls, key=lambda call: call.lineno)]
    data = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    if (whole := names.get("REQUEST")) is not None:
        data = whole if isinstance(whole, bytes) else b"".join(whole)
    if not data:
        return
    raised = [
        ast.unparse(node.items[0].context_expr) for node in ast.walk(function) if isinstance(node, ast.With)
    ]
    if any("HttpParserInvalid" in words for words in raised):
        yield Case(function.name, data, None)
        return
    head, end, behind = data.partition(b"\r\n\r\n")
    body = b""
    if b"Upgrade: " in head:
        behind = b""  # what follows is another protocol's
    elif b"chunked" in head:
        if not data.endswith(b"\r\n\r\n"):
            behind += b"0\r\n\r\n"  # the callbacks were of more interest than the end
        chunks = behind
        while size := int(chunks.partition(b"\r\n")[0], 16):
            chunks = chunks.partition(b"\r\n")[2]
            body, chunks = body + chunks[:size], chunks[size + 2 :]
    else:
        body = behind
    method, target, version = head.partition(b"\r\n")[0].split(b" ")
    expected = Request(method, target, version.removeprefix(b"HTTP/").decode(), None, body)
    yield Case(function.name, head + end + behind, [expected])


def _constants(body: list[ast.stmt], names: dict[str, Any]) -> dict[str, Any]:
    """Names that are given literals."""
    found = dict(names)
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = _value(node.value, found)
            if value is not None:
                found[node.targets[0].id] = value
    return found


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    """What an expression of literals gives; None for another."""
    try:
        return eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}}, names)
    except Exception:
        return None
