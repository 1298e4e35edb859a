"""roadworthy stand-in: the folder in which the real package keeps its interface."""
