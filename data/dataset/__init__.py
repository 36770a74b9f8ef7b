"""The dataset as arrays: image sets, the store on disk, the division into sets, protocols."""
