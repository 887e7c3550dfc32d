"""Extensions and their numbers."""
