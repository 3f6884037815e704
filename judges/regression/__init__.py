"""What the fitted judge is made of: features, ridge regression, the fitted model and its file."""
