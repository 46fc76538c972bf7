"""SQL, Arrow and Avro types and the rules between them."""
