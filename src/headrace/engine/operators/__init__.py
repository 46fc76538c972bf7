"""Runs the stateful part of a topology: rows of sources through feeds, kernels and pipelines, a batch at a time."""
