"""Ways of grading an answer, one file each."""
