"""Command line: python -m data.phantoms."""

from data.phantoms.draw import main

main()
