"""What a plugin author reads: hooks, specs, contracts, and the registry that finds plugins."""
