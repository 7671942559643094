"""A candidate as a network: built on timm, counted by fvcore, saved as a folder, exported to ONNX."""
