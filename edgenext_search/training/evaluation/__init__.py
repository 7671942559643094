"""A network judged: top-1 on the validation images, and ONNX files compared with it."""
