"""The plugin interface: hooks, specs, contracts, and the registry of installed plugins."""
