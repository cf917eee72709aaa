"""What pages are built of: the frame, the macros of the design, and the contents of the gallery that shows them."""
