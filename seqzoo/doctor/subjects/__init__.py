"""From a recipe, a run or one's own code to a Subject."""
