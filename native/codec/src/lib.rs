//! Bytes to Arrow and back: JSON, Avro, CSV and the primitive formats. Knows no Python.
