"""What the preview decides: which moments to show, who on them is a person on the pitch, and whom to pick first."""
