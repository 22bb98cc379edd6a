"""Says what is wrong with a model or a pipeline, and how to mend it.

`examine` is for people whose code is not a plugin; `seqzoo doctor` for recipes and runs. Each check
is a file of its own in `checks/`; `Subject` is what a check may look at.
"""

from seqzoo.doctor.examine import examine

__all__ = ["examine"]
