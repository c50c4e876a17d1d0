"""From measures to tables: medians, spread, ratios within one round, targets."""
