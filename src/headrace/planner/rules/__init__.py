"""Rewrites and checks of the syntax tree before it is bound, one a module."""
