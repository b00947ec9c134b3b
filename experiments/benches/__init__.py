"""One file a benchmark: `run() -> dict` of plain numbers and strings, and `lines(result)` to print.

A file defines its own absl flags; `python -m experiments.bench <file name>` finds it by its name.
"""
