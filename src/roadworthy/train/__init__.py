"""Training: frames with labels -> weights, on one device or many, by one loop."""
