"""Sentences that ask for something: where they stand, and the forms that they may take."""
