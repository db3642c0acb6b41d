"""The hot code by itself, compiled and pure: `python -m bench.micro --help`."""
