"""公海: leads that nobody owns, claimed by one and only one, and taken back where nobody cares for them (CRM §3)."""
