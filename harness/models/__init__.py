"""Where answers come from: Hugging Face models, endpoints, and a scripted model for tests."""
