"""What reaches the world: AWS, files, machines. No Textual, no Rich."""
