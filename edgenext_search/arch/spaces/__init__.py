"""Search spaces: what may vary, over which values. Read from YAML, validated, turned into named parameters."""
