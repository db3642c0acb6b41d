from __future__ import annotations

import pytest

from fastweb.security.utils import get_authorization_scheme_param


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (None, ("", "")),
        ("", ("", "")),
        ("Bearer", ("Bearer", "")),
        ("Bearer abc", ("Bearer", "abc")),
        ("Bearer  abc ", ("Bearer", "abc")),
        ("Digest a=1, b=2", ("Digest", "a=1, b=2")),
    ],
)
def test_the_parts_of_the_field(value: str | None, parts: tuple[str, str]) -> None:
    assert get_authorization_scheme_param(value) == parts
