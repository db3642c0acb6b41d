"""What of the runner steps a coroutine that waits for a message."""

from fastweb._speedups.runner cimport Carrier
