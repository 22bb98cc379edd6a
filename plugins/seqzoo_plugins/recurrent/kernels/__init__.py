"""Recurrent layers over a whole sequence: a loop over time with a hand-written backward pass.

`lstm`, `gru` and `rnn` have the equations, `product` the matrix product of each step, `recurrence`
the common parts. `sizes` says when a kernel is used and when torch's layers are. `step` computes
single tokens, without a backward pass. `torch_internals` holds the undocumented parts of torch.
"""
