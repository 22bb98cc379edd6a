"""The public base of residual stacks: blocks of a mixer and a feed-forward part."""
