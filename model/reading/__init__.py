"""Reads files: pictures, DICOM and NIfTI, whole or refused with a reason."""
