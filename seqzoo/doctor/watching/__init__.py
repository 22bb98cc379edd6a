"""Watches a training loop from outside: hooks record plain data, checks judge it later."""
