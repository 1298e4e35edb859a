"""Acceptance of segmentation networks on accelerators: card -> case -> record -> verdict -> table."""

__version__ = "0.1.0"
