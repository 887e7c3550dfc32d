"""What the Trunkline services share; it imports none of them."""
