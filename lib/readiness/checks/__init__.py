"""Judging: one module for each subject. A check never collects."""
