"""Tables, repositories with all SQL, the unit of work and the migrations."""
