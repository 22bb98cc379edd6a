"""A recipe from YAML to checked sections; imports no torch."""
