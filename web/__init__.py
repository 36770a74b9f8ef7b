"""The web pages and the JSON API, by page; ``app.create_app`` wires them together."""
