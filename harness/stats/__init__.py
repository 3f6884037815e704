"""Statistics on arrays: bootstrap and tests, two groups, agreement. No records, no files."""
