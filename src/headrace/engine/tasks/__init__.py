"""Tasks: one sub-topology on one partition, the unit of order, of state and of recovery."""
