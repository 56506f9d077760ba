"""What the benchmarks share: rounds, bounds and the file of raw figures."""
