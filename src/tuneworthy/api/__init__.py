"""The Python API: the road in ``road``, and one module beside it for each kind of use.

Nothing is imported here, so that a command pays only for what it needs.
"""
