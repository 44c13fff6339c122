"""线索: from the first touch to the customer (seed C §1)."""
