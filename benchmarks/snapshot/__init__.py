"""Figures of snapshot queries over a topic of many records."""
