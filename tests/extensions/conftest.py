"""Extensions of FastAPI and Starlette as their users write with them: `tox -e extensions`.

They import `fastapi` and `starlette`: they run only with `python -m fastweb.compat -m pytest`.
"""

from __future__ import annotations

import os

if not os.environ.get("FASTWEB_COMPAT"):
    collect_ignore_glob = ["test_*.py"]
