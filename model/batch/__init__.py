"""Classifying many files: `python -m model classify`, on this machine's cores or on Ray.

Data flows one way: paths -> sources (a file or a member of a zip each) -> chunks of sources ->
rows -> parts on disk -> the output and its summary. Nothing here holds more than a few chunks.
"""
