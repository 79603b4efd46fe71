"""The assistant's tools: cases read, answered and judged over the Model Context Protocol.

``asks`` and ``gives`` are what the tools take and return, ``tools`` the tools, ``pages`` the
resources, ``server`` the protocol's requests, ``stdio`` and ``http`` the two ways it is spoken.
"""
