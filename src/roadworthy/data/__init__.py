"""Folder -> frames -> float32 NCHW."""
