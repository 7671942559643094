"""Evaluation of model folders on validation images, and their export as ONNX."""
