"""What drifts, where, why, at what cost, and what helps."""
