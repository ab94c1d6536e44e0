"""Settlement: who pays whom for what."""
