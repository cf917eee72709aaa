"""From a payment to a text: what the workers decide while an order, an article or a commission is written."""
