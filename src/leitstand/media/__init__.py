"""Everything that looks at media bytes: sandboxed decoding, identification, metadata, cutting."""
