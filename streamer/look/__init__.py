"""How results look, decided without drawing: shared by the window and the exports."""
