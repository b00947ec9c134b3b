"""One file a table: `default.py` has every key, the others are diffs of it."""
