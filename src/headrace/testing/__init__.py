"""Run SQL on given records, no broker; the case runner."""
