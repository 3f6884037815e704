"""The command line, one file per subcommand; imports torch only when a model is loaded."""
