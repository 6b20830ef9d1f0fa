"""Where files lie: their names, and the local folder or object store that holds them."""
