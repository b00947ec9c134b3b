"""Tables from the reports of runs: selected, checked to be comparable, with intervals and tests."""
