"""Bytes to Arrow and back: JSON, Avro, CSV, the primitive formats; the schema registry."""
