"""Word lists of single kinds, with their sources and licences."""
