"""The floor that everything in `models` stands on."""
