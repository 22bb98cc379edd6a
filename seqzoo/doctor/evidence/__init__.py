"""What the doctor measures before any check looks at it."""
