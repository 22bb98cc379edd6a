"""Speed beside bare torch, as ratios."""
