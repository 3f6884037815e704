"""Templates of a study's page."""
