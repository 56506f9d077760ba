"""Who rents out instances: one file each, found by its name through `connect(settings)`."""
