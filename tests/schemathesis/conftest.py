"""Requests that schemathesis makes of an app's OpenAPI document: `tox -e schemathesis`."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("schemathesis") is None:
    collect_ignore_glob = ["test_*.py"]
