"""Acceptance of segmentation networks on accelerators: card -> case -> record -> verdict -> table."""
