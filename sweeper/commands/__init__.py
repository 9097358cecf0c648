"""What `python -m sweeper COMMAND` does: a file a command, of its name."""
