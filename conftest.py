"""A fresh clone runs without an installation: the plugin is named here as well as in the entry point.

`pytester` tests the plugin; pytest wants plugins named in this file only.
"""

pytest_plugins = ["roadworthy.plugin", "pytester"]
