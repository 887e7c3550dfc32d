"""Extensions: provision, change, terminate."""
