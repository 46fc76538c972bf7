"""The page of results, its plots and its verdicts, from the raw figures of the benchmarks."""
