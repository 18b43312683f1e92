"""Ways to a sensor: each opens a link that carries bytes and knows nothing of them."""
