"""What may be asked of EBS, and what a disk should rather be: limits, shapes and advice. Pure."""
