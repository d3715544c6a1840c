"""The workflows of __PROJECT__."""
