"""Stateful operators while a program is planned: aggregates, tables, ranks, and how rows get to them."""
