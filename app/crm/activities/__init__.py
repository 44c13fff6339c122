"""What people do with a lead or a customer: communications, tasks with reminders, plans, and what is learned of them."""
