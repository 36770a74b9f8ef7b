"""Volumes: NIfTI and FreeSurfer, with nibabel."""
