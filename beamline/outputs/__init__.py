"""What is made of stored runs for people: live figure, figures, export, report."""
