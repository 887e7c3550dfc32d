"""Who a caller is and what they may do: tokens, keys, revocations, authorization, audit log."""
