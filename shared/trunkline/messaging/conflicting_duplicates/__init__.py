"""Two different messages under one id: kept, applied or dismissed."""
