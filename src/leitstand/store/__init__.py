"""Where state lives: SQLite in a file by default, PostgreSQL by one URL."""
