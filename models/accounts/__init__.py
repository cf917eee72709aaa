"""People: how they show who they are, how long we believe it, what they may do, and what they did."""
