"""What a run leaves behind, and what scores are compared by."""
