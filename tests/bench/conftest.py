"""`bench` is part of the checkout and of no installation; fastweb stays the one that is installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
