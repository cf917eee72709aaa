"""What is for sale: publications, their articles and versions, prices, and what may not be linked to."""
