"""Says what is wrong with a model or a pipeline, and how to fix it.

`examine` (seqzoo/doctor/examine.py) is for code that is not a plugin, `seqzoo doctor` for recipes
and runs. Each check is one file in `checks/`; `Subject` is what a check looks at; `causes.py` says
what explains what.
"""
