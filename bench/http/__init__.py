"""Whole servers beside each other: `python -m bench.http --help`."""
