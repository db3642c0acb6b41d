"""A shop: what a larger app looks like. `main.py` is where to begin to read."""
