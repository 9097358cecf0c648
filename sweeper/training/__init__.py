"""One trial: its data, network, optimizer and training."""
