-- What has a retention is found without reading what has none: answers kept under idempotency keys, among all messages.
CREATE INDEX inbox_answers_idx ON inbox (received_at) WHERE answer IS NOT NULL;
