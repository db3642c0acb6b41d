"""`python -m fastweb` is `fastweb`."""

from __future__ import annotations

from fastweb.cli import main

if __name__ == "__main__":
    main(prog_name="fastweb")
