-- Alerts of scripts that are alerts: one row an alert that stands, and the last ones that were cleared.
SELECT
  alert,
  subject,
  state,
  since,
  raised,
  cleared,
  "row"
FROM system.alerts
