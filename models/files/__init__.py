"""Files that are made once and downloaded for a while: where they lie, and nothing of what they mean."""
