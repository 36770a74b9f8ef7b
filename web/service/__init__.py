"""What all requests share: the queue for the network, readiness, samples, answers."""
