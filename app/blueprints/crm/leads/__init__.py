"""What only leads have: stages and conversion, scores, the funnel, assignment and pools."""

from app.blueprints.crm.leads import assigning, assignment, funnel, pool_settings, pools, score, scoring, stages  # noqa: F401
