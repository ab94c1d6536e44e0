"""Rules and optimisers that a learned policy is measured against."""
