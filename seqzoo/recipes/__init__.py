"""Recipes: read from YAML or Python, checked, described by a schema. Imports no torch."""
