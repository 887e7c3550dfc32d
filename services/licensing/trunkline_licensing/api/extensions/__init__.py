"""Extensions over HTTP."""
