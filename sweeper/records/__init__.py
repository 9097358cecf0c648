"""What happened in sweeps, as it is written down and read again."""
