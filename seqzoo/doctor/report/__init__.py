"""What the doctor found, as text, as JSON and as a corrected recipe."""
