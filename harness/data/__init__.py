"""Data sets: raw rows, samples made of them, and splits without leaks."""
