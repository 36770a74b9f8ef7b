"""`python -m benchmarks.service.comparison`."""

from benchmarks.service.comparison.measure import main

main()
