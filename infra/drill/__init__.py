"""Is what would be restored really what there was? `make drill` tries it on the running product."""
