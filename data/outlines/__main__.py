"""Command line: python -m data.outlines."""

import sys

from data.outlines.make import main

sys.exit(main())
