"""Ready suites, training configs, rubrics and sample data, shipped as package data."""
