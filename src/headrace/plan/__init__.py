"""Plan nodes, their JSON form and how they are shown."""
