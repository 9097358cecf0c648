"""One sweep as its user means it: what is asked for, where its trials come from, and the order in which all happens."""
