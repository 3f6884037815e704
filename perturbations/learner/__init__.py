"""Mistakes that learners of English make, as often as learner corpora have them."""
