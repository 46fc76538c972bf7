"""Settings: frozen dataclasses, one precedence, one list for file, environment and SET."""
