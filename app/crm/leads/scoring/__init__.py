"""Scores of leads (CRM §4): rules as data, reckoned the same way each time, and explained to the point."""
