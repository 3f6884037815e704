"""The same request in fewer words, or in more that add no fact."""
