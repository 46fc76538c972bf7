"""Joins: which rows meet, on what, in which task, and what names mean over them."""
