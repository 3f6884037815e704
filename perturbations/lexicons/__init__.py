"""Data tables of the perturbations, with their sources and licences."""
