"""Who gets a lead: rules in order, members by turn, weight or load, and on record why (CRM §3)."""
