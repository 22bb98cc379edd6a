"""What is done with any model: its state, where it runs, and text from it."""
