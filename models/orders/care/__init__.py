"""What is done for a customer after the work: the guarantee of a link, messages, and ordering again."""
