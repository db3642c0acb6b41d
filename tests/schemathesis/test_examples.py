"""The examples, served, answer whatever their documents allow as the documents say, and never with a 5xx."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"

CHECKS = ",".join(
    (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
)

#: Requests to each operation in each phase; more for a longer hunt.
MAX_EXAMPLES = os.environ.get("SCHEMATHESIS_MAX_EXAMPLES", "100")


@contextmanager
def served(example: Path, directory: Path) -> Iterator[int]:
    """The port that an example is served on, by one worker."""
    command = [sys.executable, "-m", "fastweb", "run", str(example), "--workers", "1", "--port", "0"]
    shown = directory / "shown"
    with shown.open("w") as log:
        server = subprocess.Popen([*command, "--no-access-log"], cwd=directory, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while "Ctrl+C" not in shown.read_text():
            assert time.monotonic() < deadline, shown.read_text()
            time.sleep(0.05)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", shown.read_text())
        assert found is not None
        yield int(found[1])
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0


def log_in(port: int) -> list[str]:
    """The option that makes schemathesis the shop's admin."""
    form = urlencode({"username": "admin", "password": "change-me"}).encode()
    with urlopen(f"http://127.0.0.1:{port}/token", form) as answer:
        return ["--header", f"Authorization: Bearer {json.load(answer)['access_token']}"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["users.py", "shop/main.py"])
def test_nothing_undocumented(name: str, tmp_path: Path) -> None:
    with served(EXAMPLES / name, tmp_path) as port:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{port}/openapi.json"]
        command += ["--checks", CHECKS, "--max-examples", MAX_EXAMPLES, "--generation-deterministic"]
        command += ["--warnings", "off", *(log_in(port) if name.startswith("shop") else [])]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
