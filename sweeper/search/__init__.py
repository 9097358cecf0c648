"""What is searched, and which trial comes next."""
