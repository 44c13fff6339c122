"""Tables brought in from elsewhere: read, matched to fields, tried, run, told truthfully, taken back (CRM §5)."""
