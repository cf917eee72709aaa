"""What editors and admins see and decide beyond one review: what waits, the search, the money, the second person."""
