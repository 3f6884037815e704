"""Studies: a grid of trainings, each put under test, and one report that compares them."""
