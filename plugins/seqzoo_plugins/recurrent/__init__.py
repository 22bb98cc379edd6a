"""The public base of recurrent cells: embedding, stack, head, kernels and the single step."""
