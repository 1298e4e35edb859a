"""A fresh clone runs without an installation: the plugin is named here as well as in the entry point."""

pytest_plugins = ["roadworthy.plugin"]
