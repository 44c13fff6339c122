"""Handing over what a colleague leaves behind: leads, customers, contacts, tasks, plans (CRM §14, promise 11)."""
