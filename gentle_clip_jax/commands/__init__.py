"""The command line: gentle-clip COMMAND."""
