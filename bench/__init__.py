"""The benchmarks: `python -m bench.http` for whole servers, `python -m bench.micro` for the hot code. See
docs/benchmarks.md."""
