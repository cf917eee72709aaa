"""What is told on request: to a person in their inbox, to an address by letter, and to other systems by webhook."""
