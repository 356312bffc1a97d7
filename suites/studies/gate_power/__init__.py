"""How good is the gate: planted slowdowns, with and without a noisy neighbour, judged by our gate and by pytest-benchmark's."""
