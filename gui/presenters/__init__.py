"""What every pane shows, decided without Qt: pure functions from snapshot and selection to frozen views."""
