"""Records in and out: inbox, outbox relay, republishing, retries."""
