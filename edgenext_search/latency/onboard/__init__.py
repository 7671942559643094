"""Code that runs on the board: Python 3.8 with its standard library, numpy and ONNX Runtime."""
