"""What is kept outside the live store: files of rows, in a folder."""
