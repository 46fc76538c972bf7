"""The SQL functions: one declaration each, a module a family."""
