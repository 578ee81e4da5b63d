"""What the session adds to plans: suspenders, a stopping rule, background numbers, previews and resuming."""
