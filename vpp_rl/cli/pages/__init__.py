"""Pages of documentation about devices, put together of what the source says."""
