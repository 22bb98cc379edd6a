"""Speed compared with plain torch, as ratios."""
