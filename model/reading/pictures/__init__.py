"""Pictures such as JPEG, PNG and TIFF, with Pillow."""
