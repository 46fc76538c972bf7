"""SQL and catalog to a topology; every wrong program is refused here."""
