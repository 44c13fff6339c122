"""The tenant's working days: weekends, China's public holidays and the days worked for them, and what the tenant says itself."""
