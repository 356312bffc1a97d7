"""The families that people moved to: each one's smallest member with random weights, through torch and onnxruntime."""
