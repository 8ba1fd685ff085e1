-- Flags that detectors have standing: a row appears when a detector raises a flag and goes when the cause is gone.
SELECT detector, subject, since, score, threshold, reason, evidence FROM system.flags
