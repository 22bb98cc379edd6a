"""Results side by side, ranked where they may be: rows, ranks, columns, and the forms they take."""
