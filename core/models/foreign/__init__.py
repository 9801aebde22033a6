"""Models that others made: any single-input image classifier as ONNX, OpenVINO IR or torchvision state dict."""
