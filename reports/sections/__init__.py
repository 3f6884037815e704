"""The sections of the page: a template each, and a module where it needs more than the summary."""
