"""What the judges that are language models share: rubrics, prompts, parsing, endpoints."""
