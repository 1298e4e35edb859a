"""Torch module -> ONNX -> ONNX after surgery."""
