-- Beside sent and failed: not worth sending any more when its turn came; given up by a person.
ALTER TABLE mail DROP CONSTRAINT mail_state_check;
ALTER TABLE mail ADD CONSTRAINT mail_state_check
    CHECK (state IN ('waiting', 'sent', 'failed', 'dropped', 'discarded'));
