"""Around each request: the worker, headers, clients, metrics and the log."""
