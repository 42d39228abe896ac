"""Runs read one after the other: what differs between two, why, and which are kept."""
