"""Nexmark, the auction site that stream processors are compared on: its events, its queries, and what they must give."""
