"""Recurrent layers over a whole sequence, their loop over time and its backward pass by hand.

Read `lstm`, `gru` or `rnn` for the equations, `product` for what is done T times, `recurrence` for
what the kinds share, `sizes` for when a kernel is taken and when torch's own layers are, `step` for
single tokens, which are no loop and have no backward pass.
"""
