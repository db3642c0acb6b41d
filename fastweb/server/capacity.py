"""How many connections one process can hold: each has a file descriptor, and so has what the app opens.

The kernel gives a process a soft bound (`ulimit -n`, often 1024) that it may raise itself, up to a hard one.
At the bound accept(2) fails (EMFILE), and with it every open(2) and connect(2) of the app: so the server
turns connections away before that.
"""

from __future__ import annotations

import logging
from typing import Final

try:
    import resource
except ImportError:  # Windows has no such bound.
    resource = None  # type: ignore[assignment]

__all__ = ["SPARE", "connections_within_files"]

_logger = logging.getLogger("fastweb.server")

#: Descriptors that are left to the app, its database pool and its files; of a small bound, a quarter.
_OTHERS: Final = 256

#: Connections beyond the bound that are told so, before it is said with an RST: a server has these, too.
SPARE: Final = 64


def connections_within_files(wanted: int) -> int:
    """Raise the bound of open files, where it may be raised, to what so many connections need.

    Arguments:
        wanted: `Limits.connections`.

    Returns:
        As many, or fewer, where there cannot be so many files; a line of the log says so.
    """
    if resource is None:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHERS + SPARE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if most > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):
            most = soft  # a sandbox, or macOS, which has a lower bound of its own
    if most >= needed:
        return wanted
    bound = max(most - min(_OTHERS, most // 4) - min(SPARE, most // 8), 1)
    _logger.warning(
        "This process may have %d open files: it takes %d connections, and not Limits.connections,"
        " which is %d (ulimit -Hn, LimitNOFILE=)",
        most,
        bound,
        wanted,
    )
    return bound
