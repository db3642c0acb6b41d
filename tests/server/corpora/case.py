"""One request of a corpus, and what is to become of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Case", "Request"]


@dataclass
class Request:
    """As the app sees it; `headers` are None where the corpus does not say."""

    method: bytes
    target: bytes
    version: str
    headers: list[tuple[bytes, bytes]] | None
    body: bytes


@dataclass
class Case:
    """Bytes, and the requests that they are: None where they are to be refused.

    Arguments:
        setting: what the corpus sets its server to for this case, where that changes the grammar.
        first_is_valid: something before what is to be refused may be answered.
    """

    name: str
    data: bytes
    expected: list[Request] | None
    setting: str = ""
    first_is_valid: bool = False
