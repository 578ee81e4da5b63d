"""What the session adds to plans: suspenders, a judge, background numbers, previews and going on with a measurement."""
