"""Log files: entries, the segments that hold them, and everything that reads, rotates and removes them."""
