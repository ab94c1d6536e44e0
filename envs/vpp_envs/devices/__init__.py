"""Device physics: pure torch functions on (..., N) tensors; imports torch alone."""
