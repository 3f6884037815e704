"""The sections of the page: one Python file and one template of the same name each."""
