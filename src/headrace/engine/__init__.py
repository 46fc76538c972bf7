"""Runs a topology."""
