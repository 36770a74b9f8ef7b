"""Measures the service: speed, memory, engines, hostile files, batches, a small host."""
