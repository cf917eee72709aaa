"""Making texts: placing links and writing articles."""
