"""`python -m benchmarks.service.engines`."""

from benchmarks.service.engines.measure import main

main()
