"""What the admin pages show: statements only, no decisions; one file per noun."""
