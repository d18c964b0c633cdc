"""Side-by-side timings of critlib against what a user would pick instead."""
