"""The whole controller as one artifact: written, verified, loaded."""
