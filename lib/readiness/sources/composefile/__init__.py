"""Compose files: reading them as Compose does, and what Compose would refuse in them.

``compose-spec.schema.json`` is the specification's own JSON schema (github.com/compose-spec,
Apache 2.0, licence beside it), unchanged, as shipped in the Python package check-jsonschema 0.39.0;
SHA-256 d549057ebc2925f39f62799eab0db7b9e2c18b35b6c00595199116da3ed10e64.
"""
