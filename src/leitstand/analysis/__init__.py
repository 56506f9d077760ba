"""Analysis: one pipeline per modality, then tracking, fusion and the report."""
