"""Small tools that know nothing of runs: digests, files, figures as text, YAML, progress, secrets."""
