"""Latencies of any number of requests, in bounded memory: access logs, Parquet, load runs."""
