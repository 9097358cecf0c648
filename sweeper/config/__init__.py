"""From the words of a command line to configs, and from configs to objects."""
