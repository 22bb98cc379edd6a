"""A corpus and its splits, its tokens, and the lanes that training reads them in."""
