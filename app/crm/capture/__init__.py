"""How leads come in by themselves: web forms, check-in at an event, WeChat and Weibo messages, the API (seed C §1.1)."""
