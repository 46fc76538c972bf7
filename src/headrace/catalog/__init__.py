"""What a topic holds: formats and schemas, declared, from the registry, or inferred."""
