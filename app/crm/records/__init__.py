"""What every list and every record of the CRM shares: an object says what it is, this room does the rest."""
