"""Outputs -> class map -> confusion matrix -> mIoU, the guide's way."""
