"""Results side by side, ranked where they are comparable: rows, ranks, columns, output formats."""
