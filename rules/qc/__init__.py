"""Is the measurement itself in order? Control materials by Westgard's rules, sigma, lots, and the moving averages of patients."""
