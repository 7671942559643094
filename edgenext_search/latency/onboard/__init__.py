"""The code that runs on the board: Python 3.8, standard library, numpy and ONNX Runtime."""
