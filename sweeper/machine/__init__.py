"""What this machine has, and how processes begin on it."""
