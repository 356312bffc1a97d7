"""The same cells measured with Polygraphy, optimum-benchmark, pytest-benchmark alone, and this suite."""
