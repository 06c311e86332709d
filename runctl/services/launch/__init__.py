"""Starting machines: read the offer, launch it, find again what a kill interrupted."""
