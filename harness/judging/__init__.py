"""What every judge goes through: traits, cached verdicts, metering, self-judging, labels, calibration."""
