"""DICOM files, with pydicom."""
