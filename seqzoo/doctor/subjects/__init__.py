"""Makes a Subject of a recipe, a run or a user's own code."""
