"""Judging a network on anyone's own images: `python -m model judge`.

Data flows one way: a folder (or another model's answers) -> cases -> copies marked -> figures ->
JSON and a page. Nothing leaves the machine.
"""
