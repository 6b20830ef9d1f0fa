"""What a cluster of one API process and two workers stands, over PostgreSQL."""
