"""The HTML pages and what they need: languages, images, wording."""
