"""A run from its recipe to its result, and the same run opened again."""
