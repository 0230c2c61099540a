"""What is drawn: thin widgets, views in through ``set_*``, signals out. No socket, no file, no decision."""
