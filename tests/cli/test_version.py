from __future__ import annotations

import platform
import re

import pytest
from click.testing import CliRunner

from fastweb._speedups import is_compiled
from fastweb.cli import main


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_says_what_runs(option: str) -> None:
    result = CliRunner().invoke(main, [option])
    assert result.exit_code == 0
    mode = "compiled" if is_compiled() else "pure"
    assert re.fullmatch(rf"fastweb \d\S* \({mode}\), .*\n", result.output)
    assert platform.python_version() in result.output
    assert platform.system() in result.output
