"""What a new user gets: project templates, workflow files, and a demo source with synthetic data."""
