"""`seqzoo report`: a page about runs, written to a file or served while a run trains."""
