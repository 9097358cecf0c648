"""Whether the best of a sweep are really better: trained anew, judged by the test data."""
